"""What the verbs of frozen probes have in common on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Many = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
Models = Annotated[tuple[str, ...], Parameter(name="--model", consume_multiple=True)]


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The fields of ``radpair.evaluation.probe_verbs.Asked``; their notes are the help."""

    models: Models
    """Run folders or model folders, or random:LIKE, where LIKE is such a folder or a timm name. A
    random control of each architecture is added."""
    data: Path
    """The study set: labels from its training split, figures from its test split."""
    labels: Many = ()
    """Names of labels. All of the set's if not given."""
    draws: int = 5
    """Seeded draws of patients for each budget, the same for every probe."""
    seed: int = 0
    """Of the draws and the resampling."""
    out: Path | None = None
    """A file for the results as JSON."""
    cache: Path | None = None
    """A folder in which features are kept between calls."""
    uncertain: str = "ignore"
    """What an uncertain label counts as: 'ignore', 'ones', 'zeros', 'convirt', or label by label,
    as in Edema=ones,Mass=zeros."""
    views: str = "mean"
    """A study of several images: 'mean' of their features, or 'max': each image learns with its
    study's label, and a study has the highest of its images' scores."""
    operating_point: str = "mcc"
    """What thresholds are best at on out-of-fold scores of the training labels: 'mcc', 'f1',
    'youden', sensitivity=0.9 or specificity=0.9."""
    resamples: int = 1000
    """Resamples of the patients that the intervals come from, 100 or more."""
    scores: Path | None = None
    """A CSV file for every test study's score: study_id, patient_id, model, label, protocol, draw,
    score, truth."""
    device: str = "cpu"
    """'cpu' or 'cuda'."""


Given = Annotated[Probed, Parameter(name="*")]
