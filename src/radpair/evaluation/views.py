"""Studies of several images, each image learned from and scored by itself.

A probe takes ``features[studies]``. ``Views`` stands for such a table where a study is not the mean
of its images: every image learns with its study's label (MURA's form; Rajpurkar et al. 2018), and a
study's score is the highest, or the mean, of its images' (``policies.study_scores``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError, nearest
from radpair.evaluation.policies import AGGREGATIONS, study_scores

MEAN = AGGREGATIONS[0]


class Views:
    """The features of every image, taken study by study."""

    ndim = 2

    def __init__(
        self, codes: NDArray[Any], image_study: NDArray[Any], studies: Sequence[str], how: str
    ) -> None:
        """``codes [images, dim]``; ``image_study [images]``: places in ``studies`` (ids)."""
        check_views(how)
        self.codes, self.how, self.ids = codes, how, studies
        self.owner = np.asarray(image_study, dtype=np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """As a table of studies."""
        return len(self.ids), self.codes.shape[1]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: NDArray[np.int64]) -> Views:
        """The images of some studies, in the studies' order."""
        counts = np.bincount(self.owner, minlength=len(self.ids))
        order = np.argsort(self.owner, kind="stable")
        first = (np.cumsum(counts) - counts)[rows]
        taken = counts[rows]
        owner = np.repeat(np.arange(len(rows)), taken)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(taken) - taken, taken)
        images = order[np.repeat(first, taken) + within]
        return Views(self.codes[images], owner, [self.ids[row] for row in rows], self.how)

    def of_studies(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """``[studies, labels]`` of ``scores [images, labels]``."""
        return study_scores(scores, self.owner, self.ids, self.how)


@dataclass(frozen=True, slots=True)
class ByView:
    """A probe of images that is asked for studies."""

    probe: Any
    """``radpair.evaluation.protocol.Fitted``, learned from images."""
    cross_fitted: NDArray[np.float64]
    """``[studies, labels]``, from images that did not learn from the study's patient."""

    @property
    def constant(self) -> tuple[str | None, ...]:
        """Why a label has a constant score, or None, for each label."""
        found: tuple[str | None, ...] = self.probe.constant
        return found

    @property
    def chosen(self) -> NDArray[np.float64]:
        """What was chosen inside the budget for each label."""
        return np.asarray(self.probe.chosen)

    def score(self, features: Views) -> NDArray[np.float64]:
        """Scores ``[studies, labels]``."""
        return features.of_studies(self.probe.score(features.codes))


def fit_views(fit: Any, views: Views, truth: NDArray[Any], patients: Sequence[str]) -> ByView:
    """Fits ``fit`` to the images of ``views``, each with its study's truth and patient."""
    people = np.asarray(patients, dtype=str)[views.owner].tolist()
    probe = fit(views.codes, np.asarray(truth)[views.owner], people)
    return ByView(probe, _known_scores(views, probe.cross_fitted))


def _known_scores(views: Views, held_out: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores of studies from those of their images that have one; NaN where none has."""
    known = ~np.isnan(held_out)
    share = study_scores(known.astype(np.float64), views.owner, views.ids, MEAN)
    least = float(np.min(held_out, where=known, initial=0.0))
    scores = views.of_studies(np.where(known, held_out, 0.0 if views.how == MEAN else least))
    if views.how == MEAN:
        scores = scores / np.where(share > 0, share, 1.0)
    return np.where(share > 0, scores, np.nan)


def check_views(how: str) -> None:
    """Raises ``EvaluationError`` unless ``how`` is ``mean`` or ``max``."""
    if how not in AGGREGATIONS:
        raise EvaluationError(f"--views '{how}' is not known{nearest(how, AGGREGATIONS)}")
