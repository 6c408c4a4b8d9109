"""The file of scores that the verbs write."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from radpair.errors import EvaluationError
from radpair.evaluation.score_file import COLUMNS, ScoreFile


class FourStudies:
    """The part of a study set that a file of scores reads."""

    study_ids, patient_ids = ("s0", "s1", "s2", "s3"), ("a", "b", "b", "c")
    label_names = ("Edema", "Mass")
    labels = np.array([[0, 1], [1, np.nan], [-1, 0], [0, 0]], dtype=np.float32)

    def split(self, name: str):
        return np.array([1, 2])


@pytest.mark.parametrize(("uncertain", "shown"), [("ignore", ""), ("ones", "1")])
def test_a_row_for_each_study_label_and_draw(tmp_path: Path, uncertain: str, shown: str) -> None:
    path = tmp_path / "new" / "scores.csv"
    file = ScoreFile(path, FourStudies(), [0, 1], "test", uncertain)
    scores = np.arange(8).reshape(2, 2, 2) / 10
    file.add("mine", "linear 0.1", ["Edema", "Mass"], scores)
    assert not path.exists()
    file.write()
    with path.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 8
    for row in rows:
        place = ["s1", "s2"].index(row["study_id"]), ["Edema", "Mass"].index(row["label"])
        assert float(row["score"]) == scores[int(row["draw"]), *place]
        assert row["patient_id"] == "b"
        assert row["truth"] == {(0, 0): "1", (0, 1): "", (1, 0): shown, (1, 1): "0"}[place]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"ending \.csv"):
        ScoreFile(tmp_path / "scores.parquet", FourStudies(), [0], "test", "ignore")
