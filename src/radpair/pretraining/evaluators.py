"""Evaluators that a recipe names: cheap figures on the validation split while training goes on.

They see the model as it would be saved (float32, evaluation mode), the images of validation
studies, and for the nearest neighbours those of labelled training studies; never a test study. They
draw nothing at random and leave the model as it was, so a run ends with the same weights with and
without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from radpair.errors import RunError
from radpair.evaluation.budgets import Indices
from radpair.evaluation.features import Codes, encode_study_set, frozen, study_means, unit_length
from radpair.evaluation.neighbours import knn_auroc
from radpair.evaluation.results import jsonable
from radpair.evaluation.retrieval import graph_key, rank_hits, report_key
from radpair.models import Model
from radpair.models.pair import PairModel
from radpair.pretraining.recipe import Recipe, ScheduledEvaluator
from radpair.records import Graph
from radpair.studyset import StudySet
from radpair.studyset.batch import usable_sentences

Figures = dict[str, Any]
EVALUATED = "validate"
VOTERS = 4096
"""Labelled training studies that vote, at most: evenly spaced, the same every time."""
NEIGHBOURS = 20
AT = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Seen:
    """Codes of some studies, each the mean over its images."""

    model: Model
    studies: Indices
    """Ascending numbers of studies in their set."""
    features: Codes
    projections: Codes

    def places(self, studies: Indices) -> Indices:
        """Where these studies stand in the rows of the codes."""
        return np.searchsorted(self.studies, studies).astype(np.int64)


class Evaluator(Protocol):
    """What measures a model on a set; everything that it needs was looked up before."""

    @property
    def studies(self) -> Indices:
        """The studies whose images it needs."""

    def figures(self, seen: Seen) -> Figures:
        """JSON values for the log of metrics."""

    def headline(self, figures: Figures) -> str:
        """A few words for the live line."""


@dataclass(frozen=True, slots=True)
class Knn:
    """AUROC of the nearest labelled training studies' votes (``evaluation.neighbours``)."""

    set: StudySet
    studies: Indices

    def figures(self, seen: Seen) -> Figures:
        """``{"auroc": {label: value, "mean": value}, "voters": .., "studies": ..}``; a label with
        one class among voters or validation studies is None, and not in the mean."""
        chosen, splits = self.studies, self.set.splits[self.studies]
        found = knn_auroc(
            seen.features[seen.places(chosen)],
            self.set.labels[chosen],
            [self.set.patient_ids[study] for study in chosen],
            splits,
            self.set.label_names,
            evaluated=EVALUATED,
            neighbours=NEIGHBOURS,
        )
        voters = int((splits == "train").sum())
        figures: Figures = jsonable(
            {"auroc": found, "voters": voters, "studies": len(chosen) - voters}
        )
        return figures

    def headline(self, figures: Figures) -> str:
        """The mean over labels."""
        return f"k-NN AUROC {figures['auroc']['mean']:.3f}"


@dataclass(frozen=True, slots=True)
class Partners:
    """One kind of partner of some validation studies."""

    kind: str
    studies: Indices
    keys: tuple[str, ...]
    """Equal where partners are identical."""
    encode: Callable[[Model], Codes]
    """``[studies, dim]`` in the shared space."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Recall and median rank among the validation studies, both ways (``evaluation.retrieval``)."""

    partners: Sequence[Partners]

    @property
    def studies(self) -> Indices:
        """All that have a partner."""
        return np.unique(np.concatenate([kind.studies for kind in self.partners]))

    def figures(self, seen: Seen) -> Figures:
        """``{"image_to_report": {"recall@1": .., .., "median_rank": .., "studies": ..}, ..}``."""
        found: Figures = {}
        for one in self.partners:
            images = unit_length(seen.projections[seen.places(one.studies)])
            partners = unit_length(one.encode(seen.model))
            found[f"image_to_{one.kind}"] = _recalls(images, partners, one.keys)
            found[f"{one.kind}_to_image"] = _recalls(partners, images, one.keys)
        return found

    def headline(self, figures: Figures) -> str:
        """Recall at 10 from the image."""
        return "  ".join(
            f"{one.kind} R@10 {figures[f'image_to_{one.kind}']['recall@10']:.0%}"
            for one in self.partners
        )


@dataclass
class Watch:
    """The evaluators of a run, by their schedule."""

    set: StudySet
    tokenizer: Tokenizer
    scheduled: Sequence[tuple[ScheduledEvaluator, Evaluator]]
    epochs: int
    _headlines: dict[str, str] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """The newest figures in a few words; empty before the first."""
        return "".join(f"  {words}" for words in self._headlines.values())

    def due(self, epoch: int) -> bool:
        """Whether anything is measured at the end of ``epoch`` (the first is 1)."""
        return any(plan.due(epoch, self.epochs) for plan, _ in self.scheduled)

    def figures(self, model: PairModel, epoch: int, device: torch.device) -> Figures:
        """The figures due at the end of ``epoch`` (the first is 1), by evaluator.

        ``model`` is left as it was: modes, buffers, and the state of random numbers. Raises
        ``EvaluationError`` where its codes are not finite.
        """
        due = [(plan.name, one) for plan, one in self.scheduled if plan.due(epoch, self.epochs)]
        if not due:
            return {}
        found: Figures = {}
        with frozen(model), torch.random.fork_rng(devices=[]):
            seen = self._seen(model, [one for _, one in due], device)
            for name, one in due:
                found[name] = one.figures(seen)
                self._headlines[name] = f"{one.headline(found[name])} (epoch {epoch})"
        return found

    def _seen(self, model: PairModel, due: Sequence[Evaluator], device: torch.device) -> Seen:
        name = "in training"
        whole = Model(model, self.tokenizer, name=name, hash=name, device=str(device))
        studies = np.unique(np.concatenate([one.studies for one in due])).astype(np.int64)
        films = _Films(self.set, studies)
        codes = encode_study_set(whole, films)
        features, projections = (
            study_means(part, films.image_study, len(films))
            for part in (codes.features, codes.projections)
        )
        return Seen(whole, studies, features, projections)


class _Films:
    """The images of some studies of a set."""

    def __init__(self, studies: StudySet, chosen: Indices) -> None:
        counts = studies.image_count[chosen]
        self._set = studies
        self._images = np.concatenate([np.array(studies.images_of(int(one))) for one in chosen])
        self.image_study = np.repeat(np.arange(len(chosen)), counts)
        self._studies = len(chosen)

    @property
    def content_hash(self) -> str:
        return self._set.content_hash

    def pixels(self, image: int) -> NDArray[np.uint8]:
        return self._set.pixels(int(self._images[image]))

    def __len__(self) -> int:
        return self._studies


def watch(recipe: Recipe, studies: StudySet, tokenizer: Tokenizer, validated: int) -> Watch:
    """Looks up what the recipe's evaluators need; ``validated`` studies give a validation loss.

    Raises ``RunError`` where the set does not have it.
    """
    if recipe.evaluators and validated < 2:
        problem = f"has {validated} studies with a {recipe.partner} in its split '{EVALUATED}'"
        remedy = "it takes at least 2, so ingest with a larger validation split"
        raise _lacking(studies, recipe.evaluators[0].name, problem, remedy)
    prepare: Mapping[str, Callable[[], Evaluator]] = {
        "knn": lambda: _knn(studies),
        "retrieval": lambda: _retrieval(recipe, studies),
    }
    scheduled = [(plan, prepare[plan.name]()) for plan in recipe.evaluators]
    return Watch(studies, tokenizer, scheduled, recipe.training.epochs)


def _knn(studies: StudySet) -> Knn:
    if not studies.label_names:
        raise _lacking(studies, "knn", "has no labels", "ingest it with --label-columns")
    given = (studies.labels == 0) | (studies.labels == 1)
    train, held = (
        np.flatnonzero(given.any(axis=1) & (studies.splits == name))
        for name in ("train", EVALUATED)
    )
    voters = train[:: max(1, -(-len(train) // VOTERS))]
    both = [
        [{0, 1} <= set(column[~np.isnan(column)].tolist()) for column in studies.labels[part].T]
        for part in (voters, held)
    ]
    if not any(learned and measured for learned, measured in zip(*both, strict=True)):
        problem = "has no label with both classes in its splits 'train' and 'validate'"
        raise _lacking(studies, "knn", problem, "label more studies")
    return Knn(studies, np.sort(np.concatenate([voters, held])).astype(np.int64))


def _retrieval(recipe: Recipe, studies: StudySet) -> Retrieval:
    """Only studies with a partner; the run has seen to it that there are graphs where asked for."""
    chosen = studies.split(EVALUATED).tolist()
    partners: list[Partners] = []
    if recipe.model.has_text:
        partners.append(_reports(chosen, studies.reports))
    if recipe.model.has_graph:
        graphs = studies.graphs()
        drawn = [(n, graph) for n in chosen if (graph := graphs[n]) is not None and graph.entities]
        partners.append(_graphs(drawn))
    for one in partners:
        if len(one.studies) < 2:
            problem = f"has {len(one.studies)} studies with a {one.kind} in its split 'validate'"
            remedy = "it takes at least 2, so ingest with a larger validation split"
            raise _lacking(studies, "retrieval", problem, remedy)
    return Retrieval(partners)


def _reports(chosen: Sequence[int], reports: Sequence[str]) -> Partners:
    texts = {study: found for study in chosen if (found := usable_sentences(reports[study]))}
    sentences = [sentence for found in texts.values() for sentence in found]
    owner = np.repeat(np.arange(len(texts)), [len(found) for found in texts.values()])

    def encode(model: Model) -> Codes:
        return study_means(model.encode_texts(sentences), owner, len(texts))

    keys = tuple(report_key(reports[study]) for study in texts)
    return Partners("report", np.array(list(texts), dtype=np.int64), keys, encode)


def _graphs(drawn: Sequence[tuple[int, Graph]]) -> Partners:
    graphs = [graph for _, graph in drawn]
    studies = np.array([study for study, _ in drawn], dtype=np.int64)
    keys = tuple(graph_key(graph) for graph in graphs)
    return Partners("graph", studies, keys, lambda model: model.encode_graphs(graphs))


def _lacking(studies: StudySet, name: str, problem: str, remedy: str) -> RunError:
    return RunError(
        f"{studies.path} {problem}, which the recipe's evaluator '{name}' measures with; {remedy}, "
        "or train without it: --set evaluators=[]"
    )


def _recalls(queries: Codes, candidates: Codes, keys: Sequence[str]) -> Figures:
    ranks = rank_hits(queries, candidates, keys).ranks
    recalls = {f"recall@{k}": float((ranks <= k).mean()) for k in AT}
    middle = int(np.sort(ranks)[(len(ranks) - 1) // 2])
    return {**recalls, "median_rank": middle, "studies": len(ranks)}
