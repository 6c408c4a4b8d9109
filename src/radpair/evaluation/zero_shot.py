"""Zero-shot classification: is an image nearer to the finding present, or to the finding absent?

Prompts are texts or knowledge graphs; the embeddings of an ensemble are averaged and normalised
again. A score is the difference of two cosine similarities and depends on that image alone: nothing
is standardised over the images being scored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.bootstrap import interval, resample
from radpair.evaluation.features import Codes, study_means
from radpair.evaluation.metrics import DECIDED, RANKED, accuracies, columns_of
from radpair.evaluation.operating import STANDARD, Validated, from_validation, resample_decided
from radpair.evaluation.policies import study_scores
from radpair.evaluation.prompts import Prompts
from radpair.evaluation.results import MetricResult, jsonable, metric_result
from radpair.evaluation.statistics import given_labels
from radpair.records import Graph

SCHEMA = "radpair.zero-shot/1"
KINDS = ("text", "graph")
_SAME = 1e-6
"""Codes, and scores, no farther apart than this differ by rounding alone."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What decides the figures of prompts beside model, prompts and data."""

    seed: int = 0
    """Of the resampling."""
    resamples: int = 1000
    uncertain: str = "ignore"
    """What an uncertain label counts as (``radpair.evaluation.policies``)."""
    views: str = "mean"
    """A study's score: the ``mean`` of its images', or the ``max``."""
    operating_point: str = STANDARD
    """What thresholds are best at on validation studies (``radpair.evaluation.operating``)."""


class PromptEncoder(Protocol):
    """The part of ``radpair.models.Model`` that encodes prompts."""

    name: str
    hash: str

    @property
    def has_text(self) -> bool:
        """Whether there is a text tower."""

    @property
    def has_graph(self) -> bool:
        """Whether there is a graph tower."""

    def encode_texts(self, texts: Sequence[str]) -> Codes:
        """``[texts, dim]``, in the space that images are projected to."""

    def encode_graphs(self, graphs: Sequence[Graph]) -> Codes:
        """``[graphs, dim]``, in the space that images are projected to."""


@dataclass(frozen=True, slots=True)
class PromptCodes:
    """Both sides of each label's question, as unit vectors."""

    kind: str
    """``text`` or ``graph``."""
    labels: tuple[str, ...]
    present: Codes
    """``[labels, dim]``."""
    absent: Codes
    """``[labels, dim]``."""
    counts: Mapping[str, tuple[int, int]]
    """Prompts present and absent, by label."""
    hash: str
    """Of the prompts' content."""


def encode_prompts(
    model: PromptEncoder, prompts: Mapping[str, Prompts], kind: str = "text"
) -> PromptCodes:
    """Encodes the prompts of every label that has some of this kind.

    Raises ``EvaluationError`` for an unknown kind, a model without that tower, no such prompts, and
    a label whose two sides get equal codes: every image would score 0.
    """
    if kind not in KINDS:
        raise EvaluationError(f"unknown kind of prompt '{kind}': use 'text' or 'graph'")
    if not (model.has_text if kind == "text" else model.has_graph):
        raise EvaluationError(
            f"model '{model.name}' has no {kind} tower: it cannot be asked by {kind} prompts"
        )
    sides = {
        label: (entry.present, entry.absent)
        if kind == "text"
        else (entry.present_graphs, entry.absent_graphs)
        for label, entry in prompts.items()
    }
    asked = {label: pair for label, pair in sides.items() if pair[0] and pair[1]}
    if not asked:
        raise EvaluationError(f"the prompts hold no {kind} prompts for any label")
    flat = [prompt for pair in asked.values() for side in pair for prompt in side]
    encode: Any = model.encode_texts if kind == "text" else model.encode_graphs
    codes = iter(encode(flat))
    means = [
        [_mean(np.stack([next(codes) for _ in side])) for side in pair] for pair in asked.values()
    ]
    table = np.array(means, dtype=np.float32)
    _refuse_equal(model.name, kind, table, asked)
    return PromptCodes(
        kind,
        tuple(asked),
        table[:, 0],
        table[:, 1],
        {label: (len(pair[0]), len(pair[1])) for label, pair in asked.items()},
        _hash(asked),
    )


def _refuse_equal(name: str, kind: str, table: Codes, asked: Mapping[str, Any]) -> None:
    """``table [labels, 2, dim]``; a label with equal sides cannot be asked."""
    gaps = np.abs(table[:, 0].astype(np.float64) - table[:, 1]).max(axis=1)
    for gap, (label, (present, absent)) in zip(gaps, asked.items(), strict=True):
        if gap < _SAME:
            shown = [str(side[0] if kind == "text" else side[0].text) for side in (present, absent)]
            raise EvaluationError(
                f"label '{label}': model '{name}' gives the {kind} prompts present ('{shown[0]}') "
                f"and absent ('{shown[1]}') the same code, so every image would score 0; put them "
                "in words that it was trained on, or leave the label out with --labels"
            )


def score_images(projections: Codes, codes: PromptCodes) -> NDArray[np.float64]:
    """Scores ``[images, labels]`` of unit vectors ``projections [images, dim]``.

    Cosine with present minus cosine with absent, in -2 to 2.
    """
    images = projections.astype(np.float64)
    contrast = (codes.present.astype(np.float64) - codes.absent.astype(np.float64)).T
    return np.asarray(images @ contrast)


def score_studies(
    projections: Codes,
    image_study: NDArray[np.int64],
    codes: PromptCodes,
    labels: Sequence[str],
    studies: Sequence[str],
    views: str = "mean",
) -> Codes:
    """Scores ``[studies, labels]``: the mean, or ``max``, over the images of each of ``studies``
    (ids); ``labels`` have codes."""
    images = score_images(projections, codes)[:, [codes.labels.index(name) for name in labels]]
    if views == "mean":
        return study_means(images.astype(np.float32), image_study, len(studies))
    return study_scores(images, image_study, studies, views).astype(np.float32)


def zero_shot(
    model_name: str,
    projections: Codes,
    image_study: NDArray[np.int64],
    codes: PromptCodes,
    labels: NDArray[Any],
    patients: Sequence[str],
    label_names: Sequence[str],
    studies: NDArray[np.int64],
    *,
    validation: NDArray[np.int64] | None = None,
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    uncertain: str = "ignore",
    views: str = "mean",
    operating_point: str = STANDARD,
) -> dict[str, Any]:
    """AUROC and average precision with intervals over the patients of ``studies`` (indices).

    ``projections [images, dim]`` and ``image_study [images]`` describe all images, ``labels
    [studies, labels]`` and ``patients`` all studies. A study's score is the mean of its images', or
    with ``views`` of ``max`` the highest. Thresholds for MCC, F1, sensitivity and specificity are
    chosen on the studies ``validation`` (indices); without any there are no such metrics. Labels
    that exclude each other have accuracies.

    Returns schema ``radpair.zero-shot/1``: ``model, kind, prompts (label: counts), prompts_hash,
    unprompted (labels without a prompt of this kind), studies, patients, thresholds (what
    ``radpair.evaluation.operating`` says of them, null without), metrics`` with each metric as in
    ``radpair.evaluation.results``. Raises ``EvaluationError`` when prompts and labels share
    no name, and for a label that all of several studies score the same in.
    """
    columns = [name for name in label_names if name in codes.labels]
    if not columns:
        raise EvaluationError(
            f"no label has prompts: labels are {', '.join(label_names)}; prompts are for "
            f"{', '.join(codes.labels)}"
        )
    places = [list(label_names).index(name) for name in columns]
    ids = [f"row {index}" for index in range(len(labels))]
    every = given_labels(labels, ids, label_names, uncertain)[:, places]
    scored = score_studies(projections, image_study, codes, columns, ids, views)
    scores, truth = scored[studies], every[studies]
    refuse_constant(model_name, codes.kind, scores, columns)
    everyone = np.asarray(patients, dtype=str)
    people = everyone[studies].tolist()
    chosen = None
    if validation is not None:
        chosen = from_validation(
            *(scored, every, everyone, validation, studies, columns, operating_point)
        )
    resampling = (people, resamples, seed)
    metrics = _metrics(scores, truth, columns, chosen, resampling, level)
    found: dict[str, Any] = jsonable(
        {
            "schema": SCHEMA,
            "model": model_name,
            "kind": codes.kind,
            "prompts": {name: codes.counts[name] for name in columns},
            "prompts_hash": codes.hash,
            "unprompted": [name for name in label_names if name not in codes.labels],
            "studies": len(studies),
            "patients": len(set(people)),
            "thresholds": None if chosen is None else chosen.facts,
            "metrics": {name: asdict(result) for name, result in metrics.items()},
        }
    )
    return found


def _metrics(
    scores: Codes,
    truth: NDArray[np.float64],
    names: Sequence[str],
    chosen: Validated | None,
    resampling: tuple[Sequence[str], int, int],
    level: float,
) -> dict[str, MetricResult]:
    """Every metric of one run; ``resampling`` are patients, resamples and seed."""
    sampled = {
        name: resample(metric, scores, truth, *resampling)
        for name, metric in {**RANKED, **accuracies(truth)}.items()
    }
    if chosen is not None:
        given = (chosen.decisions[None], truth, chosen.why_not, *resampling)
        sampled |= {name: resample_decided(metric, *given) for name, metric in DECIDED.items()}
    return {
        name: metric_result(interval(sample, level), columns_of(names, len(sample.value)))
        for name, sample in sampled.items()
    }


def refuse_constant(name: str, kind: str, scores: NDArray[Any], labels: Sequence[str]) -> None:
    """Raises ``EvaluationError`` for a label that all of several studies score the same in.

    ``scores [studies, labels]``. An AUROC of 0.5 would hide that a constant score ranks nothing.
    """
    if len(scores) < 2:
        return
    for label, width in zip(labels, np.ptp(scores, axis=0), strict=True):
        if width < _SAME:
            raise EvaluationError(
                f"label '{label}': model '{name}' scores all {len(scores)} studies the same by its "
                f"{kind} prompts, which ranks nothing; change the prompts, or look at the images "
                "(radpair verify) and the model"
            )


def _mean(vectors: Codes) -> Codes:
    mean = vectors.astype(np.float64).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _hash(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(repr(sorted(asked.items())).encode()).hexdigest()[:16]
