"""What the rules read out of sentences, and what must hold for any text."""

from __future__ import annotations

import importlib.util
import random
import string
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import GraphError
from radpair.graphs import extract, extract_many, load_lexicon, schema, shipped_lexicon
from radpair.graphs.extract import _remembered
from radpair.records import Graph

_SPEC = importlib.util.spec_from_file_location(
    "sentences", Path(__file__).with_name("sentences.py")
)
assert _SPEC is not None
assert _SPEC.loader is not None
_SENTENCES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_SENTENCES)
CASES = _SENTENCES.CASES

_SIGNS = {
    schema.ANATOMY: "@",
    schema.PRESENT: "+",
    schema.ABSENT: "-",
    schema.UNCERTAIN: "?",
    schema.MEASURED_OBSERVATION: "#",
    schema.MEASURED_ANATOMY: "%",
}
_ARROWS = {schema.MODIFY: "~", schema.LOCATED_AT: ">", schema.SUGGESTIVE_OF: "=>"}


def _name(text: str) -> str:
    return text.lower().replace(" ", "_")


def _entities(graph: Graph) -> list[str]:
    return [_SIGNS[e.label] + _name(e.text) for e in graph.entities]


def _relations(graph: Graph) -> list[str]:
    names = [_name(e.text) for e in graph.entities]
    return [names[r.source] + _ARROWS[r.type] + names[r.target] for r in graph.relations]


@pytest.mark.parametrize(("sentence", "entities", "relations"), CASES, ids=[c[0] for c in CASES])
def test_sentence(sentence: str, entities: str, relations: str) -> None:
    graph = extract(sentence)
    assert _entities(graph) == entities.split()
    assert sorted(_relations(graph)) == sorted(relations.split())


_VOCABULARY = """
    no not without possible may represent effusion effusions pneumothorax opacity small large
    left right lower lobe heart lungs is are normal enlarged clear and or , ; . with in of the a
    versus cannot be excluded resolved unchanged consistent 4.5 cm XXXX ___ tip catheter but
"""
_WORDS = st.sampled_from(_VOCABULARY.split())
_PROSE = st.lists(_WORDS, max_size=40).map(" ".join)
_TEXT = st.one_of(_PROSE, st.text(max_size=200))


def _check(graph: Graph) -> None:
    words = graph.text.split(" ")
    for entity in graph.entities:
        assert 0 <= entity.start <= entity.end < len(words)
        assert entity.text == " ".join(words[entity.start : entity.end + 1])
        assert entity.label in schema.ENTITY_LABELS
    spans = [(e.start, e.end) for e in graph.entities]
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    links = [(r.source, r.target) for r in graph.relations]
    assert len(set(links)) == len(links)
    for relation in graph.relations:
        assert relation.type in schema.RELATION_TYPES
        assert relation.source != relation.target
        assert max(relation.source, relation.target) < len(graph.entities)


@given(_TEXT)
@settings(max_examples=300, deadline=None)
def test_spans_point_at_their_text(text: str) -> None:
    _check(extract(text))


@given(_TEXT)
@settings(deadline=None)
def test_same_text_same_graph(text: str) -> None:
    first = extract(text)
    _remembered.cache_clear()
    assert extract(text) == first


@given(st.lists(st.sampled_from([case[0] for case in CASES]), min_size=1, max_size=6))
@settings(deadline=None)
def test_a_further_sentence_changes_nothing_before_it(sentences: list[str]) -> None:
    text = " ".join(sentences)
    alone, longer = extract(text), extract(text + " The gallbladder is unremarkable.")
    count = len(alone.entities)
    assert longer.text.startswith(alone.text)
    assert longer.entities[:count] == alone.entities
    assert tuple(r for r in longer.relations if r.source < count) == alone.relations


def _phrases(*roles: str) -> st.SearchStrategy[str]:
    """Phrases of the shipped lexicon that are one word or several without a hyphen."""
    entries = shipped_lexicon().entries.items()
    return st.sampled_from(
        sorted(" ".join(p) for p, t in entries if t.role in roles and "-" not in p)
    )


_FINDING = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from(["", "small", "focal", "acute", "large calcified", "mildly displaced"]),
        st.sampled_from(["", "left", "pleural", "right lower lobe", "pulmonary"]),
        _phrases("finding"),
    ),
).map(lambda words: " ".join(words.split()))
_FINDINGS = st.lists(_FINDING, min_size=1, max_size=4).map(
    lambda parts: ", ".join(parts[:-1]) + (" or " if parts[1:] else "") + parts[-1]
)


@given(_FINDINGS, st.sampled_from(["", " in the left lung", " at the right base"]))
@settings(max_examples=300, deadline=None)
def test_negating_a_sentence_flips_its_observations(findings: str, place: str) -> None:
    stated = extract(f"There is {findings}{place}.").entities
    denied = extract(f"There is no {findings}{place}.").entities
    assert [e.text for e in stated] == [e.text for e in denied]
    assert any(e.label == schema.PRESENT for e in stated)
    flips = {schema.PRESENT: schema.ABSENT}
    assert [flips.get(e.label, e.label) for e in stated] == [e.label for e in denied]


@pytest.mark.parametrize("text", ["", " \n\t ", "___ XXXX [**2101-1-1**]", "...", "12 34", "\x00"])
def test_a_report_without_words_has_no_entities(text: str) -> None:
    assert extract(text).entities == ()


@pytest.mark.parametrize(
    "text",
    [
        "Kein Pleuraerguss. Herzgröße normal.",
        "胸部正位片未见异常。心影不大。",
        "<p>No <b>effusion</b> &amp; no pneumothorax.</p><script>alert('x')</script>",
        "No effusion\x07.\x00 Heart\x1b[0m normal.",
        "((((((no ((effusion)) [[edema]] ))))",
        "no " * 500 + "effusion",
    ],
)
def test_odd_text_is_read_without_harm(text: str) -> None:
    _check(extract(text))


def test_html_and_control_characters_do_not_hide_words() -> None:
    graph = extract("<p>No <b>effusion</b>\x00 &amp; focal\u200b edema.</p>")
    assert _entities(graph) == ["-effusion", "-focal", "-edema"]


def test_a_long_list_is_negated_to_its_end() -> None:
    graph = extract("No " + ", ".join(["effusion"] * 300) + " or pneumothorax.")
    assert len(graph.entities) == 301
    assert {e.label for e in graph.entities} == {schema.ABSENT}


class _Counter:
    """Counts function calls and line events of the rules while it is installed."""

    def __init__(self) -> None:
        self.events = 0

    def __call__(self, frame: object, event: str, argument: object) -> _Counter:
        self.events += 1
        return self


def _steps(text: str) -> int:
    counter = _Counter()
    sys.settrace(counter)
    try:
        extract(text)
    finally:
        sys.settrace(None)
    return counter.events


@pytest.mark.parametrize(
    "unit",
    [
        "no effusion , ",
        "left and right ",
        "opacity versus ",
        "pneumonia cannot be excluded and ",
        "heart and lungs , ",
        "possible small effusion , or ",
        "in the left lobe of ",
        "the heart is normal and ",
        "resolved may represent ",
        "a . ",
        "1 . No effusion ",
        "small effusion left lung pleural ",
        "given the shift , a ",
        "pneumothorax : none ",
        "segment of the lobe along the aspect ",
        "mass is likely ",
    ],
)
def test_work_grows_in_step_with_length(unit: str) -> None:
    short, long = _steps(unit * 150), _steps(unit * 600)
    assert long < 4.6 * short


def test_a_one_megabyte_line_is_read_whole() -> None:
    text = (
        "No focal consolidation , small left pleural effusion and the heart is enlarged , " * 12400
    )
    assert len(text) > 1_000_000
    graph = extract(text)
    assert len(graph.text.split(" ")) == 12400 * 14
    assert graph.entities[-1].end >= 12400 * 14 - 3


@pytest.mark.parametrize(
    "text",
    [
        "FINDINGS" + " " * 1_000_000 + "x\nfoo",
        "Clear lungs. " + " " * 500_000 + "Dr. " * 125_000 + "seen",
        "effusion " * 60_000 + "lung pulmonary " * 30_000,
        "\t" * 500_000 + "\n \t" * 150_000,
        "\u00a0" * 1_000_000,
        "IMPRESSION (" * 80_000,
        "no, " * 250_000,
        "a." * 500_000,
    ],
    ids=["heading", "stops", "products", "tabs", "blanks", "brackets", "commas", "marks"],
)
def test_a_megabyte_of_anything_ends(text: str) -> None:
    """Quadratic work would take hours here; expressions are not seen by the counter above."""
    _check(extract(text))


def test_any_number_of_processes_gives_the_same_graphs() -> None:
    chooser = random.Random(5)
    reports = [" ".join(chooser.choices([case[0] for case in CASES], k=4)) for _ in range(700)]
    assert list(extract_many(iter(reports), 2)) == [extract(report) for report in reports]
    assert list(extract_many([], 2)) == []


def test_worker_processes_read_with_the_users_terms(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[trigger]\nnegation = ["nil"]', encoding="utf-8")
    (graph,) = extract_many(["Nil effusion."], 2, load_lexicon(path))
    assert _entities(graph) == ["-effusion"]


def test_only_findings_and_impression_are_read() -> None:
    graph = extract("INDICATION: pneumonia?\nFINDINGS: No effusion.\nIMPRESSION: Edema.")
    assert _entities(graph) == ["-effusion", "+edema"]


def test_a_users_terms_are_put_over_the_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[finding]\nscimitar = ["scimitar sign"]\n[trigger]\nnegation = ["nil"]\n', encoding="utf-8"
    )
    mine = load_lexicon(path)
    text = "Nil effusion. Scimitar signs in the right lung."
    assert _entities(extract(text, mine)) == ["-effusion", "+scimitar_signs", "@right", "@lung"]
    assert _entities(extract(text)) == ["+effusion", "@right", "@lung"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not toml", "Cannot read the lexicon"),
        ("[findings]\na = ['b']", "unknown table 'findings'; did you mean 'finding'"),
        ("finding = 3", "'finding' must be a table"),
        ("[finding]\na = 'b'", "'finding.a' must be a list"),
        ("[trigger]\nnegations = ['nil']", "unknown trigger 'negations'; did you mean 'negation'"),
    ],
)
def test_a_faulty_lexicon_names_the_fault(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(GraphError, match=r"mine\.toml") as caught:
        load_lexicon(path)
    assert message in str(caught.value)


def test_words_are_matched_in_any_case() -> None:
    text = "no small effusion in the left lung"
    assert [e.label for e in extract(text.upper()).entities] == [
        e.label for e in extract(string.capwords(text)).entities
    ]
