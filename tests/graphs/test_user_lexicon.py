"""A user's own terms: what is refused, and what they do to graphs and labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from radpair.errors import GraphError
from radpair.graphs import extract, finding_labels, load_lexicon
from radpair.records import Graph


def lexicon_file(folder: Path, content: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(content, encoding="utf-8")
    return path


def observations(graph: Graph) -> list[str]:
    return [entity.text for entity in graph.entities if entity.label.startswith("Observation")]


TWICE = {
    "within a table": '[finding]\na = ["scimitar sign"]\nb = ["Scimitar  sign"]\n',
    "across tables": '[finding]\na = ["scimitar sign"]\n[structure]\nb = ["scimitar sign"]\n',
    "one name, two tables": '[finding]\na = ["scimitar sign"]\n[state]\na = ["scimitar sign"]\n',
    "two triggers": '[trigger]\nnegation = ["nil"]\nuncertainty = ["nil"]\n',
}


@pytest.mark.parametrize("case", TWICE)
def test_a_phrase_under_two_concepts_is_refused_with_both(case: str, tmp_path: Path) -> None:
    path = lexicon_file(tmp_path, TWICE[case])
    with pytest.raises(GraphError, match=r"mine\.toml") as caught:
        load_lexicon(path)
    both = ("trigger.negation", "trigger.uncertainty") if "nil" in TWICE[case] else ("finding.a",)
    assert all(name in str(caught.value) for name in both)
    assert "keep it under one" in str(caught.value)


def test_a_phrase_twice_under_one_concept_is_one(tmp_path: Path) -> None:
    path = lexicon_file(tmp_path, '[finding]\na = ["scimitar sign", "Scimitar sign"]\n')
    assert observations(extract("Scimitar sign.", load_lexicon(path))) == ["Scimitar sign"]


def test_a_phrase_without_a_word_is_refused(tmp_path: Path) -> None:
    path = lexicon_file(tmp_path, '[finding]\na = ["  "]\n')
    with pytest.raises(GraphError, match=r"'finding\.a' lists '  ', which holds no word"):
        load_lexicon(path)


def test_the_path_may_be_a_string(tmp_path: Path) -> None:
    path = lexicon_file(tmp_path, '[trigger]\nnegation = ["nil"]\n')
    (entity,) = extract("Nil effusion.", load_lexicon(str(path))).entities
    assert entity.label.endswith("absent")


def test_a_shipped_concepts_own_list_adds_to_it_and_counts_for_labels(tmp_path: Path) -> None:
    path = lexicon_file(
        tmp_path, '[finding]\neffusion = ["liquid rim"]\nmurmur = ["whispering shadow"]\n'
    )
    mine = load_lexicon(path)
    for report in ("Liquid rim on the left.", "Effusion on the left."):
        assert finding_labels(extract(report, mine), "nih14", mine) == {"Effusion": 1.0}
    graph = extract("Whispering shadow on the left.", mine)
    assert observations(graph) == ["Whispering shadow"]
    assert finding_labels(graph, "nih14", mine) == {}
