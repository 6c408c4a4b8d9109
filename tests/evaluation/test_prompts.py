from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpair.errors import EvaluationError
from radpair.evaluation.prompts import (
    Prompts,
    denied,
    graph_prompt,
    read_prompt_set,
)
from radpair.graphs import finding_labels
from radpair.graphs.schema import ABSENT, ANATOMY, PRESENT
from radpair.records import Entity, Relation

GRAPH = {
    "text": "pulmonary edema",
    "entities": [["edema", "OBS-DP", 1, 1], ["pulmonary", "ANAT-DP", 0, 0]],
    "relations": [[0, "located_at", 1]],
}


def test_reads_texts_and_graphs_from_yaml_or_json(tmp_path) -> None:
    content = {
        "Edema": {
            "present": ["edema"],
            "absent": ["no edema"],
            "present_graphs": [GRAPH],
            "absent_graphs": ["no pulmonary edema"],
        }
    }
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(content))
    found = read_prompt_set(path).labels["Edema"]
    assert (found.present, found.absent) == (("edema",), ("no edema",))
    graph = found.present_graphs[0]
    assert graph.entities == (Entity("edema", PRESENT, 1, 1), Entity("pulmonary", ANATOMY, 0, 0))
    assert graph.relations == (Relation(0, "located_at", 1),)
    path = tmp_path / "prompts.yaml"
    path.write_text("Mass:\n  present: [a mass]\n  absent: [no mass is seen]\n")
    assert read_prompt_set(path).labels == {"Mass": Prompts(("a mass",), ("no mass is seen",))}


def graph_with(**changes: object) -> str:
    graph = {**GRAPH, **changes}
    return json.dumps({"Edema": {"present_graphs": [graph], "absent_graphs": [graph]}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "must map each label"),
        ("a: [", "neither YAML nor JSON"),
        ("Edema: [x]", "expected the keys present"),
        ("Edema: {presnt: [x], absent: [y]}", "unknown key 'presnt'; did you mean 'present'"),
        ("Edema: {present: [x]}", "give both 'present' and 'absent'"),
        ("Edema: {present: x, absent: [y]}", "'present' must be a list"),
        ("Edema: {graph: hello there}", "find no observation in the phrase 'hello there'"),
        ("Edema: {graph: right lower lobe}", "find no observation"),
        ("Edema: {graph: [3]}", "holds 3, which is not a text"),
        ("Edema: {present_graphs: [3], absent_graphs: [no edema]}", "a graph is a phrase, or"),
        ("Edema: {present: [no], absent: [y]}", "holds False, which is not a text"),
        ("Edema: {}", "has neither texts nor graphs"),
        (graph_with(entities=[]), "has no entity"),
        (graph_with(entities=[["pulmonary", "ANAT-DP", 0, 0]], relations=[]), "no observation"),
        (graph_with(), "the graph of 'pulmonary edema' is both present and absent"),
        ("Edema: {graph: no edema}", "the graph of 'no edema' is both present and absent"),
        ("Edema: {present: [Edema, x], absent: [edema]}", "'Edema' is both present and absent"),
        (graph_with(entities=[["edema", "OBS-XX", 1, 1]]), "unknown entity label 'OBS-XX'"),
        (graph_with(entities=[["edema", "OBS-DP", 0, 0]]), "tokens 0 to 0 are 'pulmonary'"),
        (graph_with(entities=[["edema", "OBS-DP", 1, 2]]), "within the text"),
        (graph_with(relations=[[0, "near", 1]]), "unknown relation 'near'"),
        (graph_with(relations=[[0, "modify", 2]]), "there are 2 entities"),
    ],
)
def test_faults_name_the_label_and_the_remedy(tmp_path, content: str, message: str) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(content)
    with pytest.raises(EvaluationError, match=message) as caught:
        read_prompt_set(path)
    assert "prompts.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(EvaluationError, match="no prompts file"):
        read_prompt_set(tmp_path / "none.yaml")


def links(graph) -> set[tuple[str, str, str]]:
    words = [entity.text for entity in graph.entities]
    return {(words[r.source], r.type, words[r.target]) for r in graph.relations}


def test_a_phrase_becomes_a_graph_with_anatomy_and_side(tmp_path) -> None:
    path = tmp_path / "prompts.yaml"
    path.write_text(
        "version: mine/3\nlabels:\n  Consolidation:\n"
        "    graph: consolidation in the right lower lobe\n"
    )
    found = read_prompt_set(path)
    assert found.version == "mine/3"
    entry = found.labels["Consolidation"]
    (present,), (absent,) = entry.present_graphs, entry.absent_graphs
    assert links(present) == {
        ("consolidation", "located_at", "lobe"),
        ("right", "modify", "lobe"),
        ("lower", "modify", "lobe"),
    }
    assert [entity.label for entity in present.entities] == [PRESENT, ANATOMY, ANATOMY, ANATOMY]
    assert [entity.label for entity in absent.entities] == [ABSENT, ANATOMY, ANATOMY, ANATOMY]
    assert absent.relations == present.relations


def test_denied_is_what_a_report_that_denies_says() -> None:
    written = graph_prompt("no consolidation in the right lower lobe")
    turned = denied(graph_prompt("consolidation in the right lower lobe"))
    assert [(e.text, e.label) for e in turned.entities] == [
        (e.text, e.label) for e in written.entities
    ]
    assert links(turned) == links(written)


def test_a_label_has_several_graphs_and_both_ways_of_writing_them(tmp_path) -> None:
    path = tmp_path / "prompts.json"
    entry = {
        "graph": ["edema in the right lung", "edema in the left lung"],
        "present_graphs": [GRAPH, "interstitial edema"],
        "absent_graphs": ["no edema"],
    }
    path.write_text(json.dumps({"Edema": entry}))
    found = read_prompt_set(path).labels["Edema"]
    assert len(found.present_graphs) == 4
    assert len(found.absent_graphs) == 3


CHEXPERT = read_prompt_set(Path("chexpert"))


def test_the_shipped_prompts_are_versioned_and_whole() -> None:
    assert CHEXPERT.version == "chexpert/1"
    assert len(CHEXPERT.labels) == 14
    for entry in CHEXPERT.labels.values():
        assert min(len(side) for side in (entry.present, entry.absent)) >= 3
        assert min(len(side) for side in (entry.present_graphs, entry.absent_graphs)) >= 2


@pytest.mark.parametrize("label", sorted(set(CHEXPERT.labels) - {"No Finding"}))
def test_the_rules_read_the_label_in_each_shipped_graph(label: str) -> None:
    entry = CHEXPERT.labels[label]
    for graph in entry.present_graphs:
        assert finding_labels(graph, "chexpert14").get(label) == 1, graph.text
    for graph in entry.absent_graphs:
        assert finding_labels(graph, "chexpert14").get(label) == 0, graph.text
