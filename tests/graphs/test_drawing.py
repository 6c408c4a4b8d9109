"""The drawing of a graph: valid, self-contained, complete, escaped."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.graphs import extract, svg
from radpair.graphs.schema import ANATOMY, MODIFY
from radpair.records import Entity, Graph, Relation

NS = "{http://www.w3.org/2000/svg}"


def _drawn(graph: Graph, **options: int) -> ElementTree.Element:
    return ElementTree.fromstring(svg(graph, **options))


def test_every_entity_and_relation_is_drawn() -> None:
    graph = extract("Small left pleural effusion may represent early empyema. No nodule.")
    root = _drawn(graph)
    titles = [title.text or "" for title in root.iter(f"{NS}title")]
    kinds = sorted(title for title in titles if "(" not in title)
    assert kinds == sorted(relation.type for relation in graph.relations)
    boxed = {title.rsplit(" (", 1)[0] for title in titles if "(" in title}
    linked = {i for r in graph.relations for i in (r.source, r.target)}
    assert boxed == {graph.entities[i].text for i in linked}
    words = " ".join(text.text or "" for text in root.iter(f"{NS}text"))
    assert all(entity.text in words for entity in graph.entities)


@pytest.mark.parametrize("width", [600, 700])
def test_nothing_leaves_the_picture(width: int) -> None:
    report = "Bilateral reticulonodular interstitial opacities in the right lower lobe. " * 8
    root = _drawn(extract(report), width=width)
    height = float(root.get("height", "0"))
    for box in root.iter(f"{NS}rect"):
        x, y = float(box.get("x", "0")), float(box.get("y", "0"))
        assert x >= 0
        assert x + float(box.get("width", "0")) <= width
        assert y + float(box.get("height", "0")) <= height


def test_boxes_of_one_column_do_not_overlap() -> None:
    report = "Mild stable cardiomegaly. Small new left effusion. The heart is large. No mass."
    boxes = [
        (float(box.get("x", "0")), float(box.get("y", "0")), float(box.get("width", "0")))
        for group in _drawn(extract(report)).iter(f"{NS}g")
        for box in group.iter(f"{NS}rect")
    ]
    for index, (x, y, wide) in enumerate(boxes):
        for x2, y2, wide2 in boxes[index + 1 :]:
            assert abs(y - y2) >= 20 or x + wide <= x2 or x2 + wide2 <= x


def test_long_reports_are_cut_and_say_so() -> None:
    root = _drawn(extract("No effusion. " * 300), limit=50)
    assert "... and 850 more words" in [text.text for text in root.iter(f"{NS}text")]


def test_text_is_escaped() -> None:
    graph = Graph(
        "<script> & 'lung' \"base\"",
        (Entity("<script>", ANATOMY, 0, 0), Entity("'lung'", ANATOMY, 2, 2)),
        (Relation(0, MODIFY, 1),),
    )
    assert "<script>" not in svg(graph)
    assert _drawn(graph) is not None


@given(st.text(max_size=120))
@settings(deadline=None)
def test_any_text_gives_well_formed_xml(text: str) -> None:
    words = [*text.split(), "x", "y"]
    entities = tuple(Entity(words[at], ANATOMY, at, at) for at in (0, 1))
    graph = Graph(" ".join(words), entities, (Relation(0, MODIFY, 1),))
    assert _drawn(graph).tag == f"{NS}svg"
