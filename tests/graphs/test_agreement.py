"""Agreement of two sources: against a slow obvious version, and what must hold of any two."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import GraphError
from radpair.graphs import extract
from radpair.graphs.agreement import Agreement, Disagreement, Score, compare, first_difference
from radpair.graphs.schema import ABSENT, ANATOMY, ENTITY_LABELS, PRESENT, RELATION_TYPES, UNCERTAIN
from radpair.records import Entity, Graph, Relation

LETTERS = "ab4.5cde"


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A graph over the letters of ``LETTERS``, cut into tokens anywhere."""
    cuts = draw(st.lists(st.booleans(), min_size=len(LETTERS), max_size=len(LETTERS)))
    text = "".join(
        letter + (" " if cut else "") for letter, cut in zip(LETTERS, cuts, strict=True)
    ).strip()
    words = text.split(" ")
    ends = st.integers(0, len(words) - 1)
    entities = []
    for first, last in draw(st.lists(st.tuples(ends, ends), max_size=5)):
        start, end = sorted((first, last))
        label = draw(st.sampled_from(ENTITY_LABELS[:3]))
        entities.append(Entity(" ".join(words[start : end + 1]), label, start, end))
    if not entities:
        return Graph(text)
    nodes = st.integers(0, len(entities) - 1)
    links = draw(st.lists(st.tuples(nodes, st.sampled_from(RELATION_TYPES), nodes), max_size=5))
    return Graph(text, tuple(entities), tuple(Relation(*link) for link in links))


corpora = st.dictionaries(st.sampled_from("uvw"), graphs(), min_size=1)


def spans(graph: Graph) -> list[tuple[int, int]]:
    """Counted letter by letter, without the points at the ends."""
    words = graph.text.split(" ")
    found = []
    for entity in graph.entities:
        places = range(
            sum(len(word) for word in words[: entity.start]),
            sum(len(word) for word in words[: entity.end + 1]),
        )
        kept = [place for place in places if LETTERS[place] != "."] or places
        found.append((kept[0], kept[-1] + 1))
    return found


def slow(reference: list[Any], found: list[Any]) -> Score:
    """Takes one partner away for every match."""
    left = list(found)
    matched = 0
    for item in reference:
        if item in left:
            left.remove(item)
            matched += 1
    return Score(len(reference), len(found), matched)


def facts(corpus: dict[str, Graph], shared: set[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"spans": [], "entities": [], "relations": [], "strict": []}
    for key in sorted(shared):
        graph, places = corpus[key], spans(corpus[key])
        labels = [entity.label for entity in graph.entities]
        found["spans"] += [(key, place) for place in places]
        found["entities"] += [(key, *both) for both in zip(places, labels, strict=True)]
        for link in graph.relations:
            ends = (places[link.source], places[link.target])
            found["relations"].append((key, link.type, ends))
            of = (labels[link.source], labels[link.target])
            found["strict"].append((key, link.type, ends, of))
    return found


@given(corpora, corpora)
@settings(deadline=None)
def test_scores_are_those_of_the_slow_version(
    reference: dict[str, Graph], found: dict[str, Graph]
) -> None:
    shared = reference.keys() & found.keys()
    if not shared:
        with pytest.raises(GraphError, match="share no report id"):
            compare(reference, found)
        return
    agreement = compare(reference, found)
    ours, theirs = facts(reference, shared), facts(found, shared)
    assert agreement.reports == len(shared)
    assert agreement.spans == slow(ours["spans"], theirs["spans"])
    assert agreement.entities == slow(ours["entities"], theirs["entities"])
    assert agreement.relations == slow(ours["relations"], theirs["relations"])
    assert agreement.strict_relations == slow(ours["strict"], theirs["strict"])
    for label, score in agreement.by_label.items():
        pair = [[fact for fact in side["entities"] if fact[2] == label] for side in (ours, theirs)]
        assert score == slow(*pair)
    for kind, score in agreement.by_type.items():
        pair = [[fact for fact in side["relations"] if fact[1] == kind] for side in (ours, theirs)]
        assert score == slow(*pair)


@given(corpora)
def test_a_source_agrees_with_itself(corpus: dict[str, Graph]) -> None:
    agreement = compare(corpus, corpus)
    for score in scores(agreement):
        assert {score.precision, score.recall, score.f1} <= {1.0, None}
    assert agreement.entity_disagreements == agreement.relation_disagreements == ()


@given(corpora, corpora)
@settings(deadline=None)
def test_swapping_the_sources_swaps_precision_and_recall(
    reference: dict[str, Graph], found: dict[str, Graph]
) -> None:
    if not reference.keys() & found.keys():
        return
    one, other = compare(reference, found), compare(found, reference)
    for score, swapped in zip(scores(one), scores(other), strict=True):
        assert (score.precision, score.recall) == (swapped.recall, swapped.precision)
        assert score.f1 == swapped.f1
    assert one.only_found == other.only_reference


@given(corpora, corpora)
@settings(deadline=None)
def test_every_entity_agrees_or_is_told_of(
    reference: dict[str, Graph], found: dict[str, Graph]
) -> None:
    if not reference.keys() & found.keys():
        return
    agreement = compare(reference, found)
    told = [
        (agreement.entities, agreement.entity_disagreements),
        (agreement.relations, agreement.relation_disagreements),
    ]
    for score, disagreements in told:
        ours = sum(often.count for often in disagreements if often.disagreement.reference_label)
        theirs = sum(often.count for often in disagreements if often.disagreement.found_label)
        assert score.matched + ours == score.reference
        assert score.matched + theirs == score.found


def scores(agreement: Agreement) -> list[Score]:
    totals = [agreement.entities, agreement.spans, agreement.relations, agreement.strict_relations]
    by_label = [agreement.by_label.get(label, Score()) for label in ENTITY_LABELS]
    return totals + by_label + [agreement.by_type.get(kind, Score()) for kind in RELATION_TYPES]


def entity(words: str, label: str, start: int) -> Entity:
    return Entity(words, label, start, start + len(words.split(" ")) - 1)


def test_each_kind_of_disagreement_is_named() -> None:
    text = "possible large left pleural effusion with 4.5 cm nodule"
    reference = Graph(
        text,
        (
            entity("large", PRESENT, 1),
            entity("left pleural", ANATOMY, 2),
            entity("effusion", UNCERTAIN, 4),
            entity("nodule", PRESENT, 8),
        ),
        (Relation(0, "modify", 2), Relation(2, "located_at", 1), Relation(3, "modify", 2)),
    )
    other = Graph(
        "Possible large left pleural effusion with 4 . 5 cm nodule",
        (
            entity("large", PRESENT, 1),
            entity("pleural", ANATOMY, 3),
            entity("effusion", PRESENT, 4),
            entity("4 . 5 cm", PRESENT, 6),
        ),
        (Relation(2, "modify", 0), Relation(2, "located_at", 1)),
    )
    agreement = compare({"r": reference}, {"r": other})
    told = {often.disagreement for often in agreement.entity_disagreements}
    assert told == {
        Disagreement("other label", "effusion", UNCERTAIN, "effusion", PRESENT),
        Disagreement("boundaries", "left pleural", ANATOMY, "pleural", ANATOMY),
        Disagreement("missed", "nodule", PRESENT, "", ""),
        Disagreement("spurious", "", "", "4 . 5 cm", PRESENT),
    }
    assert agreement.entities == Score(4, 4, 1)
    assert agreement.spans == Score(4, 4, 2)
    told = {often.disagreement for often in agreement.relation_disagreements}
    assert told == {
        Disagreement("other direction", "large → effusion", "modify", "effusion → large", "modify"),
        Disagreement("missed", "effusion → left pleural", "located_at", "", ""),
        Disagreement("missed", "nodule → effusion", "modify", "", ""),
        Disagreement("spurious", "", "", "effusion → pleural", "located_at"),
    }


def test_labels_of_the_ends_count_only_in_the_strict_score() -> None:
    words = (entity("large", PRESENT, 0), entity("mass", PRESENT, 1))
    doubted = (words[0], entity("mass", UNCERTAIN, 1))
    link = (Relation(0, "modify", 1),)
    pair = Graph("large mass", words, link), Graph("large mass", doubted, link)
    agreement = compare({"r": pair[0]}, {"r": pair[1]})
    assert agreement.relations == Score(1, 1, 1)
    assert agreement.strict_relations == Score(1, 1, 0)


def test_the_most_frequent_disagreement_comes_first_with_an_example() -> None:
    reference = {str(n): extract("No effusion.") for n in range(3)}
    found = {key: Graph(graph.text) for key, graph in reference.items()}
    found["0"] = Graph("No effusion .", (entity("No", ABSENT, 0), *reference["0"].entities))
    first, second = compare(reference, found).entity_disagreements
    assert (first.disagreement.kind, first.count, first.example) == ("missed", 2, "1")
    assert (second.disagreement.kind, second.count, second.example) == ("spurious", 1, "0")


def test_other_texts_are_refused_or_left_out() -> None:
    one = {"a": Graph("no effusion ."), "b": Graph("no nodule"), "c": Graph("x")}
    other = {"a": Graph("No effusion."), "b": Graph("no  mass"), "d": Graph("x")}
    with pytest.raises(GraphError, match=r"report 'b'.*at character 3 .*'nodule'.*'mass'"):
        compare(one, other)
    agreement = compare(one, other, skip_other_text=True)
    assert (agreement.reports, agreement.other_text) == (1, ("b",))
    assert (agreement.only_reference, agreement.only_found) == (("c",), ("d",))


@given(st.text(max_size=12), st.text(max_size=12))
def test_the_first_difference_is_the_first(one: str, other: str) -> None:
    left, right = ("".join(text.split()) for text in (one, other))
    told = first_difference(one, other)
    pairs = itertools.zip_longest(left, right)
    expected = next(
        (at for at, (a, b) in enumerate(pairs) if a is None or b is None or a.lower() != b.lower()),
        None,
    )
    assert told.startswith(f"at character {expected + 1} " if expected is not None else "")
    assert bool(told) == (expected is not None)


def test_a_very_long_report_is_compared_in_one_pass() -> None:
    words = ["mass"] * 60_000
    reference = Graph(
        " ".join(words), tuple(Entity("mass", PRESENT, n, n) for n in range(0, 60_000, 2))
    )
    found = Graph(
        " ".join(words), tuple(Entity("mass", PRESENT, n, n) for n in range(1, 60_000, 2))
    )
    assert compare({"r": reference}, {"r": found}).entities == Score(30_000, 30_000, 0)


def test_punctuation_at_the_ends_of_a_span_is_no_difference() -> None:
    blanks = Graph(
        'Small effusion. (Edema), "4.5 cm" nodule.',
        (
            entity("Small", PRESENT, 0),
            entity("effusion.", PRESENT, 1),
            entity("(Edema),", PRESENT, 2),
            entity('"4.5 cm"', PRESENT, 3),
            entity("nodule.", PRESENT, 5),
        ),
        (Relation(0, "modify", 1), Relation(3, "modify", 4)),
    )
    tokens = Graph(
        'Small effusion . ( Edema ) , " 4.5 cm " nodule .',
        (
            entity("Small", PRESENT, 0),
            entity("effusion", PRESENT, 1),
            entity("Edema", PRESENT, 4),
            entity("4.5 cm", PRESENT, 8),
            entity("nodule", PRESENT, 11),
        ),
        (Relation(0, "modify", 1), Relation(3, "modify", 4)),
    )
    for one, other in ((blanks, tokens), (tokens, blanks)):
        agreement = compare({"r": one}, {"r": other})
        assert agreement.spans == agreement.entities == Score(5, 5, 5)
        assert agreement.relations == agreement.strict_relations == Score(2, 2, 2)
        assert agreement.entity_disagreements == ()
    missed = compare({"r": blanks}, {"r": Graph(tokens.text)}).entity_disagreements
    assert {often.disagreement.reference_words for often in missed} == {
        "small",
        "effusion",
        "edema",
        "4.5 cm",
        "nodule",
    }


def test_what_a_span_says_at_its_ends_still_counts() -> None:
    whole = Graph("50 % + .", (entity("50 %", PRESENT, 0), entity(".", PRESENT, 3)))
    parts = Graph("50 % + .", (entity("50", PRESENT, 0), entity("+ .", PRESENT, 2)))
    assert compare({"r": whole}, {"r": parts}).spans == Score(2, 2, 0)
    assert compare({"r": whole}, {"r": whole}).spans == Score(2, 2, 2)
