"""A study set made ready for comparison, and a model as it sees the set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.runs import Runner
from radpair.errors import EvaluationError
from radpair.evaluation.budgets import Indices, assert_disjoint
from radpair.evaluation.features import refuse_constant
from radpair.evaluation.prompts import Prompts
from radpair.evaluation.run import Encoded
from radpair.evaluation.statistics import Floats, given_labels, why_undefined
from radpair.studyset import StudySet
from radpair.studyset.batch import usable_sentences

EVALUATED = "test"


@dataclass(frozen=True)
class Bench:
    """A study set: what is learned from, what is tested, and what it has to be asked with."""

    name: str
    studies: StudySet
    labels: tuple[str, ...]
    """Labels compared: asked for, given in training, and with both classes among the tested."""
    left_out: dict[str, str]
    """Other labels that were asked for, and why each cannot be measured."""
    truth: Floats
    """``[studies, labels]``: 1, 0, NaN."""
    patients: NDArray[np.str_]
    train: Indices
    test: Indices
    prompts: Mapping[str, Prompts] = field(default_factory=dict)

    @property
    def tested_patients(self) -> list[str]:
        """The patient of each tested study."""
        found: list[str] = self.patients[self.test].tolist()
        return found

    @property
    def tested_truth(self) -> Floats:
        """``[tested studies, labels]``."""
        return self.truth[self.test]

    @property
    def one_study_a_patient(self) -> bool:
        """Whether the tested rows are independent."""
        return len(set(self.tested_patients)) == len(self.test)

    @cached_property
    def texts(self) -> list[list[str]]:
        """The usable sentences of every tested study's report."""
        return [usable_sentences(self.studies.reports[study]) for study in self.test]

    def columns(self, names: Sequence[str]) -> list[int]:
        """Where these labels stand in ``truth``."""
        return [self.labels.index(name) for name in names]


@dataclass
class Seen:
    """A model beside one set; images are encoded when first asked for."""

    runner: Runner
    bench: Bench
    cache: Path
    told: Callable[[str], None] = lambda note: None
    """Hears how a long protocol gets on."""

    @cached_property
    def encoded(self) -> Encoded:
        """The set's codes. Raises ``EvaluationError`` where they are the same for all studies."""
        found = Encoded(self.runner.model, self.bench.studies, self.cache / "features")
        refuse_constant(self.runner.name, found.features)
        return found

    @property
    def features(self) -> NDArray[np.float32]:
        """``[studies, dim]``."""
        return self.encoded.features


def open_bench(
    name: str,
    path: Path,
    labels: Sequence[str],
    prompts: Mapping[str, Prompts],
    uncertain: str = "ignore",
) -> Bench:
    """The set at ``path``, its uncertain labels by a policy (``radpair.evaluation.policies``).

    Raises ``StudySetError`` or ``EvaluationError``."""
    studies = StudySet.open(path)
    train, test = studies.split("train"), studies.split(EVALUATED)
    if not len(test):
        raise EvaluationError(f"{path}: no study is in the split '{EVALUATED}'; ingest with one")
    patients = np.asarray(studies.patient_ids, dtype=str)
    assert_disjoint(patients[train].tolist(), patients[test].tolist())
    asked = [label for label in (labels or studies.label_names) if label in studies.label_names]
    columns = [studies.label_names.index(label) for label in asked]
    truth = given_labels(studies.labels[:, columns], studies.study_ids, asked, uncertain)
    left_out = _unmeasurable(asked, truth, test)
    kept = [place for place, label in enumerate(asked) if label not in left_out]
    names = tuple(asked[place] for place in kept)
    return Bench(name, studies, names, left_out, truth[:, kept], patients, train, test, prompts)


def _unmeasurable(labels: Sequence[str], truth: Floats, test: Indices) -> dict[str, str]:
    reasons = why_undefined(truth[test])
    return {
        label: f"in the split '{EVALUATED}' {reason}"
        for label, reason in zip(labels, reasons, strict=True)
        if reason
    }


def described(bench: Bench) -> dict[str, Any]:
    """What the result says of a set, in JSON values."""
    studies, truth = bench.studies, bench.truth
    return {
        "name": bench.name,
        "hash": studies.content_hash,
        "graphs_hash": studies.graphs_hash if studies.has_graphs else None,
        "source": studies.manifest["source"]["name"],
        "synthetic": studies.manifest["source"]["name"] == "phantom",
        "train": {"studies": len(bench.train), "patients": len(set(bench.patients[bench.train]))},
        EVALUATED: {"studies": len(bench.test), "patients": len(set(bench.tested_patients))},
        "reports": sum(bool(sentences) for sentences in bench.texts),
        "labels": {
            label: {
                "train": int((truth[bench.train, place] == 1).sum()),
                EVALUATED: int((truth[bench.test, place] == 1).sum()),
            }
            for place, label in enumerate(bench.labels)
        },
        "given": {
            label: int((~np.isnan(bench.tested_truth[:, place])).sum())
            for place, label in enumerate(bench.labels)
        },
        "left_out": bench.left_out,
    }
