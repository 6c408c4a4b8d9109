"""Scores of every evaluated study as a CSV file, for statistics of one's own.

Columns: ``study_id, patient_id, model, label, protocol, draw, score, truth``. ``protocol`` is
``linear 0.1`` or ``knn 0.1`` (with the fraction of labels), ``few-shot 4`` (K), ``zero-shot text``
or ``zero-shot graph``; ``draw`` counts from 0. A score is a logit (linear, few-shot), a share of
votes (knn), or a difference of cosines (zero-shot). ``truth`` is 1, 0, or blank where the label is
not given.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.protocol import Level, OnScores
from radpair.evaluation.statistics import Floats, given_labels
from radpair.models.folder import write_atomically
from radpair.studyset import StudySet

COLUMNS = ("study_id", "patient_id", "model", "label", "protocol", "draw", "score", "truth")


class ScoreFile:
    """Collects scores of the studies of one split, and writes them once."""

    def __init__(
        self, file: Path, studies: StudySet, columns: Sequence[int], split: str, uncertain: str
    ) -> None:
        check_file(file)
        self.file = file
        self.chosen = studies.split(split)
        names = [studies.label_names[column] for column in columns]
        truth = given_labels(studies.labels[:, columns], studies.study_ids, names, uncertain)
        self.truth = dict(zip(names, truth[self.chosen].T, strict=True))
        self.studies = studies
        self._text = io.StringIO()
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def add(self, model: str, protocol: str, labels: Sequence[str], scores: Floats) -> None:
        """``scores [draws, studies, labels]``, the studies in the order of the set's split."""
        for draw, run in enumerate(scores):
            for label, column in zip(labels, run.T, strict=True):
                if not np.isnan(column).all():  # a label left out of few-shot
                    self._column(model, protocol, label, draw, column)

    def taking(self, protocol: str, labels: Sequence[str]) -> OnScores:
        """A receiver of a probe's scores."""

        def take(model: str, level: Level, scores: Floats) -> None:
            """Names the budget behind the protocol."""
            budget = level.fraction if level.shots is None else level.shots
            self.add(model, f"{protocol} {budget:g}", labels, scores)

        return take

    def write(self) -> None:
        """Writes the file whole, or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.file, self._text.getvalue().encode())

    def _column(
        self, model: str, protocol: str, label: str, draw: int, scores: NDArray[Any]
    ) -> None:
        truth = self.truth[label]
        for place, study in enumerate(self.chosen):
            known = truth[place]
            self._rows.writerow(
                [
                    *(self.studies.study_ids[study], self.studies.patient_ids[study], model),
                    *(label, protocol, draw, repr(float(scores[place]))),
                    "" if known != known else int(known),
                ]
            )


def check_file(file: Path) -> None:
    """Raises ``EvaluationError`` unless the name ends in .csv."""
    if file.suffix.lower() != ".csv":
        raise EvaluationError(f"{file}: name the file of scores with the ending .csv")
