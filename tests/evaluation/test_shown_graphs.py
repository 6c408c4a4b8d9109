"""Graph prompts as they were read."""

from __future__ import annotations

from radpair.evaluation.prompts import Prompts, denied, graph_prompt
from radpair.evaluation.shown_graphs import graphs_json, graphs_told, not_understood
from radpair.graphs.schema import PRESENT
from radpair.records import Entity, Graph


def test_words_that_the_rules_do_not_know_are_named() -> None:
    assert not_understood(graph_prompt("effusion in the big toe")) == ["toe"]
    assert not_understood(graph_prompt("consolidation in the right lower lobe")) == []
    assert not_understood(graph_prompt("there is no evidence of edema, Glorb.")) == ["glorb"]
    written = Graph("odd wibble", (Entity("wibble", PRESENT, 1, 1),))
    assert not_understood(written) == ["odd"]


def test_graphs_are_kept_as_a_file_writes_them_and_told_with_states_and_relations() -> None:
    graph = graph_prompt("effusion in the big toe")
    prompts = {
        "Effusion": Prompts(present_graphs=(graph,), absent_graphs=(denied(graph),)),
        "Mass": Prompts(("a mass",), ("no mass",)),
    }
    found = graphs_json(prompts, ["Effusion", "Mass"])
    assert list(found) == ["Effusion"]
    assert found["Effusion"]["present"] == [
        {
            "text": "effusion in the big toe",
            "entities": [["effusion", "OBS-DP", 0, 0], ["big", "OBS-DP", 3, 3]],
            "relations": [[1, "modify", 0]],
            "not_understood": ["toe"],
        }
    ]
    told = graphs_told(found)
    assert "effusion (OBS-DP), big (OBS-DP); big modify effusion" in told
    assert "absent: 'effusion in the big toe' is effusion (OBS-DA)" in told
    assert "warning: Effusion, present: the rules know nothing of 'toe'" in told
