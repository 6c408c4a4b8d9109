"""The drawing of a graph: valid, self-contained, complete, escaped."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.graphs import extract, svg
from radpair.graphs.network import BETWEEN, MARGIN, STYLES, lanes_of, look, network_svg
from radpair.graphs.schema import ANATOMY, ENTITY_LABELS, MODIFY
from radpair.graphs.summary import membership
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
    assert boxed == {entity.text for entity in graph.entities}
    words = " ".join(text.text or "" for text in root.iter(f"{NS}text"))
    assert all(entity.text in words for entity in graph.entities)


def test_entities_of_each_state_are_told_apart_without_colour() -> None:
    graph = extract("Heart is enlarged. Possible pneumonia. No effusion.")
    root = _drawn(graph)
    dashes = {}
    for group in root.iter(f"{NS}g"):
        for box, label in zip(group.iter(f"{NS}rect"), group.iter(f"{NS}text"), strict=True):
            dashes[label.text] = box.get("stroke-dasharray", "")
    assert dashes["Heart"] == dashes["enlarged"] == ""
    assert len({dashes["enlarged"], dashes["pneumonia"], dashes["effusion"]}) == 3


def test_entities_are_coloured_in_the_text_too() -> None:
    graph = extract("Small left pleural effusion. No nodule.")
    filled = [box.get("fill") for box in _drawn(graph).findall(f"{NS}rect")]
    assert filled.count(STYLES["anatomy"].fill) == 1 + 2
    assert filled.count(STYLES["absent"].fill) == 1 + 1


def test_linked_parts_have_rows_of_their_own() -> None:
    graph = extract("Small left effusion. Large right apical pneumothorax. Heart is enlarged.")
    rows: dict[int, set[float]] = {}
    parts = membership(graph)
    for group in _drawn(graph).iter(f"{NS}g"):
        top = float(group.find(f"{NS}rect").get("y"))
        rows.setdefault(parts[int(group.get("data-e"))], set()).add(top)
    ordered = sorted(rows.values(), key=min)
    assert len(ordered) == 3
    assert all(max(above) < min(below) for above, below in itertools.pairwise(ordered))


def test_the_network_alone_has_no_text_of_the_report() -> None:
    root = ElementTree.fromstring(network_svg(extract("There is no nodule anywhere.")))
    shown = [text.text for text in root.iter(f"{NS}text")]
    assert shown == ["modify", "located at", "suggestive of", "without a relation", "nodule"]


def test_an_empty_graph_is_an_empty_drawing() -> None:
    for drawn in (svg(Graph("")), network_svg(Graph(""))):
        assert ElementTree.fromstring(drawn).tag == f"{NS}svg"


def test_ten_thousand_entities_are_drawn_in_one_pass() -> None:
    words = ["mass"] * 10_000
    entities = tuple(Entity("mass", ANATOMY, n, n) for n in range(10_000))
    links = tuple(Relation(n, MODIFY, 0) for n in range(1, 10_000))
    root = ElementTree.fromstring(network_svg(Graph(" ".join(words), entities, links), limit=10**9))
    assert len(list(root.iter(f"{NS}g"))) == 10_001


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


SIGNS = {"pneumonia": "?", "effusion": "\u2212", "enlarged": "", "Heart": ""}


def test_signs_stand_in_the_boxes_of_text_and_graph() -> None:
    graph = extract("Heart is enlarged. Possible pneumonia. No effusion.")
    for root in (_drawn(graph), ElementTree.fromstring(network_svg(graph))):
        found: dict[str, set[str]] = {}
        for label in root.iter(f"{NS}text"):
            sign = label.find(f"{NS}tspan")
            found.setdefault(label.text or "", set()).add("" if sign is None else sign.text or "")
        assert {word: found[word] for word in SIGNS} == {w: {s} for w, s in SIGNS.items()}


def test_a_measurement_has_a_look_of_its_own_and_stands_in_the_legend() -> None:
    root = _drawn(extract("Nodule of 4.5 cm."))
    assert "measurement" in [label.text for label in root.iter(f"{NS}text")]
    fills = {
        group.find(f"{NS}text").text: group.find(f"{NS}rect").get("fill")
        for group in root.iter(f"{NS}g")
    }
    assert fills["4.5 cm"] == STYLES["measurement"].fill != fills["Nodule"]


STATES = {label: look(label) for label in ENTITY_LABELS}


def test_every_label_has_a_look_that_tells_its_state() -> None:
    assert set(STATES.values()) == set(STYLES)
    for label, name in STATES.items():
        assert (name == "absent") == label.endswith("absent")
        assert (name == "uncertain") == label.endswith("uncertain")


def test_names_are_cut_only_where_there_is_no_room() -> None:
    graph = extract("Subcutaneous emphysema persists in the left chest wall.")
    words = [label.text for label in _drawn(graph).iter(f"{NS}text")]
    assert words.count("Subcutaneous emphysema") == 2
    assert not any((word or "").endswith("\u2026") for word in words)


@given(
    st.lists(st.floats(0, 700), min_size=4, max_size=4).filter(any),
    st.integers(300, 900),
)
def test_columns_share_the_width(needs: list[float], width: int) -> None:
    lanes = lanes_of(needs, width)
    used = [lanes[n] for n in range(4) if needs[n]]
    assert all(lane >= 0 for lane, _ in lanes)
    for (left, wide), (after, _) in itertools.pairwise(used):
        assert left + wide <= after + 1e-6
    assert used[0][0] >= 0
    assert used[-1][0] + used[-1][1] <= width + 1e-6
    room = width - 2 * MARGIN - BETWEEN * (len(used) - 1)
    assert all(wide <= need + 1e-6 for (_, wide), need in zip(lanes, needs, strict=True))
    if sum(needs) <= room:
        assert [wide for _, wide in lanes] == pytest.approx(needs)
