from __future__ import annotations

import random

import pytest

from radpair.graphs.schema import ABSENT, ANATOMY, PRESENT, UNCERTAIN
from radpair.phantom import doubt, normal, phrases, wording
from radpair.phantom.markup import Clause, Scribe, Statement, joined, template
from radpair.records import Entity, Graph, Relation


def said(text: str, slots=None, status: int = 1, label: str = "L", seed: int = 0) -> Scribe:
    scribe = Scribe(random.Random(seed))
    scribe.sentence(Clause(text, slots or {}, status, label))
    return scribe


def test_a_phrase_becomes_text_and_graph_in_step() -> None:
    scribe = said("{a} [small|o>e] [left|a>l] [pleural|al] [effusion|ke>l]", {"a": "{a}"})
    assert scribe.graph() == Graph(
        "A small left pleural effusion .",
        (
            Entity("small", PRESENT, 1, 1),
            Entity("left", ANATOMY, 2, 2),
            Entity("pleural", ANATOMY, 3, 3),
            Entity("effusion", PRESENT, 4, 4),
        ),
        (
            Relation(0, "modify", 3),
            Relation(1, "modify", 2),
            Relation(3, "located_at", 2),
        ),
    )
    assert scribe.statements == [Statement("L", 1, 3)]
    assert joined(scribe.tokens) == "A small left pleural effusion."


def test_status_comes_from_the_clause_unless_forced() -> None:
    scribe = said("[opacity|pb~e] of [subtle|o>e] [pneumonia|ke] [normal|z] [x|n] [y|u]", status=-1)
    labels = [entity.label for entity in scribe.graph().entities]
    assert labels == [PRESENT, UNCERTAIN, UNCERTAIN, PRESENT, ABSENT, UNCERTAIN]
    assert scribe.graph().relations == (
        Relation(0, "suggestive_of", 2),
        Relation(1, "modify", 2),
    )
    assert [(one.status, one.entity) for one in scribe.statements] == [(-1, 2), (0, 3)]


def test_reverse_links_and_optional_links() -> None:
    scribe = said("[tube|ke] at the [carina|a@e], [pneumonia|u=e] [odd|o^q]")
    assert scribe.graph().relations == (
        Relation(0, "located_at", 1),
        Relation(0, "suggestive_of", 2),
    )
    with pytest.raises(KeyError):
        said("[odd|o>q]")


def test_clauses_keep_their_own_names() -> None:
    item = "[focal|o>e] [{word}|ke]"
    slots = {
        "n1": Clause(item, {"word": "nodule"}, 0, "A"),
        "n2": Clause(item, {"word": "mass"}, 0, "B"),
    }
    graph = said("No {n1} or {n2}", slots).graph()
    assert graph.relations == (Relation(0, "modify", 1), Relation(2, "modify", 3))
    assert {entity.label for entity in graph.entities} == {ABSENT}


@pytest.mark.parametrize(
    ("word", "article"),
    [("effusion", "an"), ("8 mm", "an"), ("11 mm", "an"), ("18 mm", "an"), ("1.8 cm", "a"),
     ("RLL opacity", "an"), ("left line", "a"), ("12 mm", "a"), ("ETT", "an")],
)  # fmt: skip
def test_the_article_fits_the_word_that_follows(word: str, article: str) -> None:
    scribe = said(f"there is {{a}} {word}", {"a": "{a}"})
    assert joined(scribe.tokens).startswith(f"There is {article} ")


def test_hyphens_and_decimals_are_tokens_as_in_reports() -> None:
    scribe = said("[left-sided|al] line, [3.5 cm|o]")
    graph = scribe.graph()
    assert graph.text == "Left - sided line , 3.5 cm ."
    assert graph.entities[0].text == "Left - sided"
    assert joined(scribe.tokens) == "Left-sided line, 3.5 cm."


def test_an_entity_without_words_is_no_entity() -> None:
    assert said("word [{gap}|o]", {"gap": ""}).graph().entities == ()


@pytest.mark.parametrize("bad", ["[word|x]", "word]", "[word|o>>e]"])
def test_a_faulty_template_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"template|mark"):
        template(bad)


def test_every_template_of_the_grammar_parses() -> None:
    for module in (wording, doubt, normal, phrases):
        tables = [table for name, table in vars(module).items() if name.isupper()]
        assert tables
        for text in _strings(tables):
            template(text)


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _strings(one)]
    if isinstance(value, tuple | list):
        return [text for one in value for text in _strings(one)]
    if isinstance(value, wording.Phrase):
        return [value.text]
    if isinstance(value, normal.Normal):
        return list(value.ways)
    return []
