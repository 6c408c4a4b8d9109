"""From a study set to the pairs of a run: tokenizer, stores, and the order of batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, Dataset

from radpair.encoders.text import load_tokenizer
from radpair.errors import RunError
from radpair.images.augment import AugmentationConfig
from radpair.models.folder import load_folder
from radpair.models.node_vectors import node_vectors
from radpair.models.pair import PairModel
from radpair.pretraining.ranks import Layout
from radpair.pretraining.recipe import Recipe
from radpair.pretraining.workers import worker_start
from radpair.processes import ENDING, deaf
from radpair.records import Graph
from radpair.reports import body
from radpair.reports.tokenizer import train_tokenizer
from radpair.studyset import StudySet
from radpair.studyset.batch import (
    GraphStore,
    PairBatch,
    PairData,
    PairSettings,
    SentenceStore,
    report_contents,
)
from radpair.studyset.kept import Arrays, kept_arrays, text_hash

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """What a run trains and validates on."""

    train: PairData
    validate: PairData


def prepare_pairs(
    recipe: Recipe,
    studies: StudySet,
    tokenizer: Tokenizer,
    model: PairModel,
    cache: Path,
    device: torch.device | None = None,
) -> Pairs:
    """Tokenises the set's reports and graphs for ``recipe``.

    What is made of them is kept in ``cache``, so that only the first process of the first start
    has to make it; so is what a frozen language model of ``model`` says of the graphs' nodes,
    computed on ``device``. Raises ``RunError`` where the set has nothing to pair images with, and
    ``StudySetError`` where what is kept was altered.
    """
    limits = recipe.text.max_tokens, recipe.text.sentences
    texts = (
        SentenceStore(studies.reports, tokenizer, *limits, cache) if recipe.model.has_text else None
    )
    reports = report_contents(studies.reports, cache)
    graphs = _graph_store(recipe, studies, tokenizer, model, cache, device)

    def pairs(split: str, augmentation: AugmentationConfig | None) -> PairData:
        """Those of one split; ``augmentation`` None leaves films as they are."""
        settings = PairSettings(
            recipe.image.size,
            augmentation,
            recipe.training.seed,
            augment_on="device" if recipe.training.augment_on == "device" else "host",
        )
        return PairData(studies, studies.split(split), settings, texts, graphs, reports)

    train = pairs("train", recipe.augmentation)
    if len(train) < 2:
        raise RunError(
            f"{studies.path}: {len(train)} training studies have both an image and a "
            f"{recipe.partner}; a contrastive objective needs at least 2, so "
            f"{_remedy(recipe, studies)}"
        )
    return Pairs(train, pairs("validate", None))


def _remedy(recipe: Recipe, studies: StudySet) -> str:
    if recipe.model.has_text and not any(studies.reports):
        return "ingest the set again with its reports (from a table: --text-column)"
    checked = {"text": "reports", "graph": "graphs", "both": "reports and the graphs"}
    return f"check the {checked[recipe.partner]} of the set"


def _graph_store(
    recipe: Recipe,
    studies: StudySet,
    tokenizer: Tokenizer,
    model: PairModel,
    cache: Path,
    device: torch.device | None,
) -> GraphStore | None:
    if model.graph is None:
        return None
    graphs = _Graphs(studies)
    content = f"{studies.content_hash}-{studies.graphs_hash}"
    vectors = None
    if model.graph.has_constant_nodes and recipe.training.node_cache != "none":
        dtype = recipe.training.node_cache
        vectors = node_vectors(
            model.graph, tokenizer, graphs, content, cache, dtype=dtype, device=device
        )
    return GraphStore(
        graphs,
        tokenizer,
        context=recipe.model.has_context,
        window=model.window,
        vectors=vectors,
        cache=(cache, content),
    )


class _Graphs(Sequence[Graph]):
    """The graphs of a set, read when one is asked for."""

    def __init__(self, studies: StudySet) -> None:
        self._studies = studies

    def __len__(self) -> int:
        return len(self._studies)

    def __getitem__(self, wanted: Any) -> Any:
        return self._read[wanted]

    @cached_property
    def _read(self) -> list[Graph]:
        return [graph or Graph("") for graph in self._studies.graphs()]


def run_tokenizer(recipe: Recipe, studies: StudySet, cache: Path | None = None) -> Tokenizer:
    """The tokenizer of the start model, or of the text weights, or one trained on the reports.

    One that is trained is kept in ``cache``, where that is given.
    """
    if recipe.start:
        tokenizer = load_folder(Path(recipe.start))[1]
        if tokenizer is None:
            raise RunError(f"{recipe.start}: the model to start from has no tokenizer")
        return tokenizer
    if recipe.text.weights != "none":
        found: Tokenizer = load_tokenizer(recipe.text.weights).backend_tokenizer
        found.no_padding()
        found.no_truncation()
        return found
    reports = [studies.reports[study] for study in studies.split("train")]
    compute = partial(_trained_json, reports, recipe.text.vocabulary)
    if cache is None:
        trained: Arrays = compute()
    else:
        identity = {"reports": text_hash(reports), "vocabulary": recipe.text.vocabulary}
        trained = kept_arrays(cache, "tokenizer", identity, compute)
    return Tokenizer.from_buffer(trained["json"].tobytes())


def _trained_json(reports: Sequence[str], vocabulary: int) -> Arrays:
    json = train_tokenizer(map(body, reports), vocabulary).to_str()
    return {"json": np.frombuffer(json.encode(), np.uint8)}


@dataclass(frozen=True)
class Order:
    """Which studies each step sees: a function of the step alone.

    Each pass over the data is a permutation of its own; the last incomplete batch of a pass is
    left out, so that no batch holds a study twice.
    """

    studies: int
    batch: int
    seed: int

    @property
    def steps_per_pass(self) -> int:
        return self.studies // self.batch

    def places(self, step: int) -> tuple[Ints, int]:
        """The places of step ``step`` within the data, and the number of its pass."""
        turn, within = divmod(step, self.steps_per_pass)
        order = _permutation(self.studies, self.seed, turn)
        return order[within * self.batch : (within + 1) * self.batch].copy(), turn


@lru_cache(maxsize=2)
def _permutation(studies: int, seed: int, turn: int) -> Ints:
    """Kept for the steps of a pass: to draw it takes longer than to prepare a small batch."""
    return np.random.default_rng([seed, turn]).permutation(studies)


@dataclass(frozen=True)
class Part:
    """The shards of every batch that one process encodes."""

    layout: Layout
    rank: int = 0

    def of(self, places: Ints) -> list[Ints]:
        """Its shards of a batch."""
        bounds = self.layout.bounds(len(places))
        return [
            places[bounds[shard] : bounds[shard + 1]] for shard in self.layout.shards_of(self.rank)
        ]


class Steps(Dataset[list[PairBatch]]):
    """One process's shards of each of the steps ``first`` to ``last``: all that a step asks of
    the host."""

    def __init__(self, data: PairData, order: Order, part: Part, first: int, last: int) -> None:
        self._data, self._order, self._part = data, order, part
        self._first, self._last = first, last

    def __len__(self) -> int:
        return self._last - self._first

    def __getitem__(self, number: int) -> list[PairBatch]:
        places, turn = self._order.places(self._first + number)
        return [self._data.batch(shard, turn) for shard in self._part.of(places)]


def training_batches(
    data: PairData, recipe: Recipe, part: Part, first: int, last: int, *, pin: bool
) -> Iterator[list[PairBatch]]:
    """One process's shards of steps ``first`` to ``last``, the same for any number of workers.

    Without workers a thread prepares each batch while the one before it is used.
    """
    steps = Steps(data, batch_order(data, recipe), part, first, last)
    workers = recipe.training.workers
    loader = DataLoader(
        steps,
        batch_size=None,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=worker_start() if workers else None,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
    )
    if not workers:
        return _ahead(iter(loader))
    with deaf(*ENDING):
        return iter(loader)


def _ahead(batches: Iterator[list[PairBatch]]) -> Iterator[list[PairBatch]]:
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = thread.submit(next, batches, None)
            yield batch


def batch_order(data: PairData, recipe: Recipe) -> Order:
    """The order of a run; a set smaller than one batch makes one batch of all."""
    return Order(len(data), min(recipe.training.batch, len(data)), recipe.training.seed)


def validation_places(data: PairData, batch: int) -> list[Ints]:
    """The whole split in fixed order, cut into batches; a single study left over has no other to
    be told from and is left out."""
    places = np.arange(len(data))
    cut = [places[start : start + batch] for start in range(0, len(data), batch)]
    return [chosen for chosen in cut if len(chosen) > 1]
