"""The phantom as a source of studies: nothing on disk, everything derived from a seed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import SourceError
from radpair.phantom.report import write
from radpair.phantom.truth import Exam, Finding, exams, patient_exams
from radpair.records import Study, View

SIZES = (32, 2048)
"""The smallest and the largest film that can be drawn, in pixels."""
_STUDY_ID = re.compile(r"s(\d{3,})-(\d{6,})-(\d+)")


class Phantom:
    """Synthetic chest studies whose truth is known: films, reports, graphs, and labels.

    The first ``studies`` exams of the synthetic hospital ``seed``; films are ``size`` pixels
    square. A worker process receives three numbers and derives every exam again.
    """

    name = "phantom"

    def __init__(self, studies: int, seed: int = 0, size: int = 224) -> None:
        """Raises ``SourceError`` for a number of studies, seed or size that cannot be."""
        for what, value, least in (("studies", studies, 1), ("seed", seed, 0)):
            if value < least:
                raise SourceError(
                    f"The phantom cannot have {what} = {value}; give {least} or more."
                )
        if not SIZES[0] <= size <= SIZES[1]:
            raise SourceError(
                f"The phantom cannot have size = {size}; give {SIZES[0]} to {SIZES[1]} pixels."
            )
        self.count, self.seed, self.size = studies, seed, size

    def options(self) -> dict[str, Any]:
        """What makes these studies what they are."""
        return {"studies": self.count, "seed": self.seed, "size": self.size}

    def studies(self) -> Iterator[Study]:
        """Every study, patient by patient, in order of time."""
        for exam in exams(self.count, self.seed):
            yield study_of(exam)

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        """The film, ``[size, size]``, 0 black (air) to 255 white (dense).

        Raises ``SourceError`` for a study that is not of this phantom and ``ImageError`` for a
        view that the study lacks.
        """
        from radpair.phantom.render import render

        return render(self._exam(study.study_id), view, self.size)

    def _exam(self, study_id: str) -> Exam:
        match = _STUDY_ID.fullmatch(study_id)
        if match and int(match[1]) == self.seed:
            chain = _chain(int(match[2]), self.seed)
            if int(match[3]) < len(chain):
                return chain[int(match[3])]
        raise SourceError(
            f"Study {study_id} is not one of the phantom with seed {self.seed}; open the phantom "
            "with the seed that the study was made with."
        )


def study_of(exam: Exam) -> Study:
    """The record of one synthetic exam, with its report, true graph and true labels."""
    report = write(exam)
    return Study(
        study_id=exam.study_id,
        patient_id=exam.patient_id,
        views=tuple(
            View(f"phantom/{exam.study_id}/{number}.png", film.position)
            for number, film in enumerate(exam.acquisitions)
        ),
        report=report.text,
        labels=dict(exam.labels),
        attributes={
            "sex": exam.body.sex,
            "age": str(exam.body.age),
            "number": str(exam.number),
            "truth": json.dumps(
                [_facts(finding) for finding in exam.findings], separators=(",", ":")
            ),
        },
        graph=report.graph,
    )


def _facts(finding: Finding) -> dict[str, str | float]:
    """What is true of one finding, without what is empty."""
    facts: dict[str, str | float] = {
        "kind": finding.kind,
        "side": finding.side,
        "severity": finding.severity,
        "zone": finding.zone,
        "size_mm": finding.size_mm,
        "detail": finding.detail,
    }
    return {name: value for name, value in facts.items() if value or name == "severity"}


@lru_cache(maxsize=256)
def _chain(patient: int, seed: int) -> tuple[Exam, ...]:
    return tuple(patient_exams(patient, seed))
