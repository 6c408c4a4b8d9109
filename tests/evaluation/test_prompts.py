from __future__ import annotations

import json

import pytest

from radpair.errors import EvaluationError
from radpair.evaluation.prompts import Prompts, read_prompts
from radpair.graphs.schema import ANATOMY, PRESENT
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
            "absent_graphs": [GRAPH],
        }
    }
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps(content))
    found = read_prompts(path)["Edema"]
    assert (found.present, found.absent) == (("edema",), ("no edema",))
    graph = found.present_graphs[0]
    assert graph.entities == (Entity("edema", PRESENT, 1, 1), Entity("pulmonary", ANATOMY, 0, 0))
    assert graph.relations == (Relation(0, "located_at", 1),)
    path = tmp_path / "prompts.yaml"
    path.write_text("Mass:\n  present: [a mass]\n  absent: [no mass is seen]\n")
    assert read_prompts(path) == {"Mass": Prompts(("a mass",), ("no mass is seen",))}


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
        ("Edema: {present: [no], absent: [y]}", "holds False, which is not a text"),
        ("Edema: {}", "has neither texts nor graphs"),
        (graph_with(entities=[]), "has no entity"),
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
        read_prompts(path)
    assert "prompts.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(EvaluationError, match="no prompts file"):
        read_prompts(tmp_path / "none.yaml")
