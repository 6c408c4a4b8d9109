"""The page of one report: complete, escaped, alone, and true to the report's own spacing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.graphs import extract
from radpair.graphs.page import page
from radpair.graphs.schema import ANATOMY, MODIFY, PRESENT
from radpair.records import Entity, Graph, Relation

VOID = {"meta"}


class Page(HTMLParser):
    """Which elements a page has, what stands in marks, and that every element is closed."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.marks: dict[int, tuple[str, str]] = {}
        self.hints: dict[int, str] = {}
        self.text = ""
        self.entity = -1
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attributes)
        if tag == "mark" and "data-e" in given:
            self.entity = int(given["data-e"] or "")
            self.marks[self.entity] = (given["class"] or "", "")
            self.hints[self.entity] = given["title"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "mark":
            self.entity = -1

    def handle_data(self, data: str) -> None:
        if "div" in self.open and "svg" not in self.open:
            self.text += data
        if self.entity >= 0:
            state, words = self.marks[self.entity]
            self.marks[self.entity] = (state, words + data)


REPORT = """INDICATION: Cough & fever.

FINDINGS: Small right-sided effusion (4.5 cm); may represent empyema.
No   nodule.

IMPRESSION:
1. Effusion."""


def test_every_entity_is_marked_with_its_label_and_relations() -> None:
    graph = extract(REPORT)
    found = Page(page(graph, "r1", REPORT))
    assert sorted(found.marks) == list(range(len(graph.entities)))
    states = {words: state for state, words in found.marks.values()}
    assert states["nodule"] == "absent"
    assert states["empyema"] == "uncertain"
    assert states["right-sided"] == "anatomy"
    for index, entity in enumerate(graph.entities):
        assert entity.label in found.hints[index]
    for link in graph.relations:
        assert f"{link.type} → {graph.entities[link.target].text}" in found.hints[link.source]
        assert f"← {link.type} {graph.entities[link.source].text}" in found.hints[link.target]
    assert found.tags.count("svg") == 1


def test_the_reports_own_spacing_is_kept_and_what_was_not_read_stands_beneath() -> None:
    text = Page(page(extract(REPORT), "r1", REPORT)).text
    assert "Small right-sided effusion (4.5 cm); may represent empyema.\nNo   nodule." in text
    assert text.endswith("Not readindication (what was asked, not what was seen): Cough & fever.")


def test_without_the_report_tokens_close_up_at_punctuation() -> None:
    found = Page(page(extract(REPORT), "r1"))
    assert "effusion (4.5 cm); may represent empyema. No nodule." in found.text


def test_nothing_of_a_report_can_act() -> None:
    hostile = "<script>alert(1)</script> <img src=x onerror=y> effusion\" onclick='z' </style>"
    words = hostile.split(" ")
    spans = tuple(Entity(word, PRESENT, at, at) for at, word in enumerate(words))
    graph = Graph(hostile, spans, (Relation(0, MODIFY, 1),))
    for content in (page(graph, hostile), page(graph, hostile, hostile)):
        found = Page(content)
        assert not {"script", "img", "link", "iframe"} & set(found.tags)
        assert found.tags.count("style") == 1
        assert "default-src 'none'" in content
        assert not re.search(r"(?:src|href)\s*=|url\((?!#)|@import", content.replace("src=x", ""))
    assert [words for _, words in found.marks.values()] == words


def test_an_empty_report_says_why() -> None:
    assert "No graph: empty report." in page(extract(""), "r1", "")
    assert "No graph: only de-identification marks." in page(extract("XXXX ___"), "r1", "XXXX ___")
    asked = "INDICATION: Edema?"
    assert "No graph: only what was asked or done." in page(extract(asked), "r1", asked)
    assert "No entity in this text." in page(extract("Thank you."), "r1", "Thank you.")


def test_a_long_report_is_highlighted_whole_and_says_what_is_drawn() -> None:
    report = "There is no effusion. " * 600
    found = Page(content := page(extract(report), "long", report))
    assert len(found.marks) == 600
    assert "the graph of the first 1,500 of 3,000 words is drawn" in content
    assert len(content) < 1_000_000


@given(st.text(max_size=80), st.text(max_size=9))
@settings(deadline=None)
def test_any_text_gives_a_sound_page(text: str, title: str) -> None:
    for report in ("", text):
        Page(content := page(extract(text), title, report))
        content.encode()


@given(st.lists(st.text("ab<&\"' ", min_size=1, max_size=4), min_size=1, max_size=6))
def test_any_tokens_of_another_source_are_shown(tokens: list[str]) -> None:
    text = " ".join(tokens)
    words = text.split(" ")
    graph = Graph(text, (Entity(words[0], ANATOMY, 0, 0),))
    if not text.strip():
        return
    found = Page(page(graph, "x", "an effusion text"))
    assert "".join(found.text.split()) == "".join(words)


def test_signs_and_measurements_are_in_the_text_and_the_legend() -> None:
    report = "Nodule of 4.5 cm. No effusion. Possible edema."
    found = Page(content := page(extract(report), "r", report))
    states = {words: state for state, words in found.marks.values()}
    assert states == {
        "Nodule": "present",
        "4.5 cm": "measurement",
        "effusion": "absent",
        "edema": "uncertain",
    }
    assert "<mark class='measurement'>measurement</mark>" in content
    assert 'mark.absent::after{content:"\u2212"}' in content
    assert 'mark.uncertain::after{content:"?"}' in content


def test_type_stays_readable_in_a_narrow_window() -> None:
    content = page(extract("No effusion."), "r")
    least = int(re.findall(r"svg {[^}]*min-width: (\d+)px", content)[0])
    drawn = int(re.findall(r"<svg [^>]* width='(\d+)'", content)[0])
    sizes = [float(size) for size in re.findall(r"<text [^>]*font-size='([\d.]+)'", content)]
    assert min(sizes) * least / drawn >= 10
