"""Films by prompts in a comparison, against ``radpair evaluate retrieval``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comparison.compare_case import Runs, answer
from radpair.evaluation.prompts import read_prompt_set
from radpair.evaluation.retrieval_verbs import class_rows
from radpair.evaluation.run import Encoded
from radpair.models import load
from radpair.studyset import StudySet


def test_equal_to_the_verb_and_tested_across_towers(runs: Runs, compared: Path) -> None:
    found = json.loads((compared / "results.json").read_text())
    studies, prompts = StudySet.open(runs.data), read_prompt_set(runs.prompts).labels
    for folder, kind in ((runs.igc, "graph"), (runs.convirt, "text")):
        rows = class_rows(Encoded(load(folder / "model"), studies), studies, prompts)
        theirs = next(row for row in rows if row["query"] == kind)
        mine = answer(found, folder.name, f"{kind} prompts → images")
        for k in ("5", "10"):
            value = mine["metrics"][f"precision_{k}"]["macro"]["value"]
            assert value == pytest.approx(theirs["precision"][k]["value"])
            chance = mine["facts"]["chance"][f"precision_{k}"]
            assert chance == pytest.approx(theirs["precision"][k]["chance"])
        assert mine["facts"]["asked"] == ["Disc"]
    other = answer(found, "igc-small", "text prompts → images")
    assert other["why_not"] == "the model has no text tower"
    (gap,) = [gap for gap in found["differences"] if gap["task"] == "by-prompt"]
    assert [end["title"] for end in gap["ends"]] == [
        "graph prompts → images",
        "text prompts → images",
    ]
    assert gap["metrics"]["precision_10"]["macro"]["holm"] is not None


def test_thresholds_and_their_metrics_in_every_protocol_of_labels(compared: Path) -> None:
    found = json.loads((compared / "results.json").read_text())
    decided = {"mcc", "f1", "sensitivity", "specificity"}
    for row in found["results"]:
        if row["why_not"] or row["task"] in ("retrieval", "likeness", "by-prompt"):
            continue
        assert decided <= set(row["metrics"])
        if row["task"] == "zero-shot":
            chosen = row["facts"]["thresholds"]
            assert chosen["split"] == "validate"
            assert len(chosen["patients"]) == 64
