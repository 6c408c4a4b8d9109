"""What is asked of every protocol at once: uncertain labels, views, the operating point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comparison.compare_case import Runs, answer
from discs import DiscSource
from radpair.cli import main
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.neighbours import knn_probe
from radpair.evaluation.prompts import read_prompt_set
from radpair.evaluation.run import Encoded, zero_shot_rows
from radpair.evaluation.zero_shot import Rules
from radpair.models import load
from radpair.records import Study
from radpair.studyset import StudySet, write


class Doubtful(DiscSource):
    """Every seventh study is uncertain of its disc."""

    def studies(self) -> Iterator[Study]:
        for number, study in enumerate(super().studies()):
            labels = dict(study.labels)
            yield replace(study, labels=labels | ({"Disc": -1.0} if number % 7 == 0 else {}))


def test_every_protocol_is_asked_as_evaluate_is(runs: Runs, tmp_path: Path) -> None:
    write(Doubtful(), tmp_path / "set", size=48, processes=1)
    given = ["--data", str(tmp_path / "set"), "--prompts", str(runs.prompts)]
    few = ["--fractions", "1.0", "--shots", "--draws", "2", "--resamples", "100"]
    asked = ["--uncertain", "Disc=ones", "--views", "max", "--operating-point", "youden"]
    models = [f"random:{runs.igc}", str(runs.igc)]
    main(["compare", *models, *given, *few, *asked, "--out", str(tmp_path / "out")])
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    told = {key: found["settings"][key] for key in ("uncertain", "views", "operating_point")}
    assert told == {"uncertain": "Disc=ones", "views": "max", "operating_point": "youden"}
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Operating point: the best sum of sensitivity and specificity." in report
    studies = StudySet.open(tmp_path / "set")
    one = Encoded(load(runs.igc / "model"), studies)
    data = (studies.labels, studies.patient_ids, studies.splits, studies.label_names)
    same = {"resamples": 100, "uncertain": "Disc=ones", "operating_point": "youden"}
    for title, probe in (("linear probe", linear_probe), ("k-NN", knn_probe)):
        (row,) = probe({"igc-small": one.probed("max")}, *data, (1.0,), **same).rows
        mine = answer(found, "igc-small", title)["metrics"]
        for name in ("auroc", "mcc", "sensitivity"):
            for label, value in row.metrics[name].labels.items():
                assert mine[name]["labels"][label]["value"] == pytest.approx(value.value)
    rules = Rules(resamples=100, uncertain="Disc=ones", views="max", operating_point="youden")
    (theirs,) = zero_shot_rows(one, studies, read_prompt_set(runs.prompts).labels, [0], rules)
    mine = answer(found, "igc-small", "zero-shot, graph")["metrics"]
    for name in ("auroc", "mcc", "sensitivity"):
        value = theirs["metrics"][name]["macro"]["value"]
        assert mine[name]["macro"]["value"] == pytest.approx(value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--views", "maxi"], "did you mean 'max'"),
        (["--uncertain", "Disc=yes"], "is not a rule"),
        (["--operating-point", "sensitivity"], "say what to reach"),
        (["--fine-tune", "--set", "views=max"], "give --views instead"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    words: list[str], said: str, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(runs.words(tmp_path / "out", *words))
    assert said in capsys.readouterr().err
