"""Batches of pairs: an image of each study and its partner, as tensors.

What is random about a study is drawn from a generator seeded by (seed, pass, study): it does not
depend on the order of the batch, on the number of workers, or on what was read before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from radpair.graphs import arrays
from radpair.images.augment import AugmentationConfig, augment, fit
from radpair.records import Graph
from radpair.reports import body, sentences
from radpair.studyset.read import StudySet

Ints = NDArray[np.int64]
SHORTEST_SENTENCE = 4
"""Words; shorter sentences are dropped (ConVIRT, section 4.1)."""


@dataclass(frozen=True)
class _Tensors:
    """A group of tensors; the data loader pins it on its way to a GPU."""

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory."""
        return _mapped(self, Tensor.pin_memory)


@dataclass(frozen=True)
class TextBatch(_Tensors):
    """Texts as token ids."""

    tokens: Tensor
    """``[texts, length]`` int64."""
    mask: Tensor
    """``[texts, length]`` bool, false on padding."""


@dataclass(frozen=True)
class GraphBatch(_Tensors):
    """Graphs side by side, as ``radpair.encoders.graph`` reads them."""

    graphs: int
    kind: Tensor
    """``[nodes]``."""
    graph: Tensor
    """``[nodes]``: the graph that a node belongs to."""
    position: Tensor
    """``[nodes]``: its place within that graph."""
    source: Tensor
    """``[edges]``, sorted by (relation, target) like the four fields below."""
    segment: Tensor
    weight: Tensor
    target: Tensor
    bounds: tuple[int, ...]
    pieces: Tensor
    """``[pieces]``: word pieces of the entities' own words, node by node."""
    piece_offsets: Tensor
    """``[nodes]``: where a node's pieces begin."""
    context: TextBatch | None = None
    """The reports' token windows, for contextual nodes."""
    places: Tensor | None = None
    """``[located pieces]``: positions in the flattened windows."""
    owner: Tensor | None = None
    """``[located pieces]``: the node that each belongs to."""


@dataclass(frozen=True)
class PairBatch(_Tensors):
    """One image and one partner of each of a batch's studies."""

    pixels: Tensor
    """``[studies, size, size]`` uint8, 0 black to 255 white."""
    study: Tensor
    """``[studies]`` int64."""
    report: Tensor
    """``[studies]`` int64: equal where findings and impression are identical."""
    text: TextBatch | None = None
    text_content: Tensor | None = None
    """``[studies]`` int64: equal where the texts are the same sentences."""
    graph: GraphBatch | None = None
    graph_content: Tensor | None = None
    """``[studies]`` int64: equal where the graphs say the same."""


Batch = TypeVar("Batch", bound="_Tensors")


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The same batch with every tensor on ``device``."""
    return _mapped(batch, lambda tensor: tensor.to(device, non_blocking=True))


def _mapped(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    changed: dict[str, Any] = {}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, Tensor):
            changed[field.name] = change(value)
        elif isinstance(value, _Tensors):
            changed[field.name] = _mapped(value, change)
    return replace(batch, **changed)


class SentenceStore:
    """Every usable sentence of every report, tokenised once."""

    def __init__(
        self, reports: Sequence[str], tokenizer: Tokenizer, max_tokens: int, together: int = 1
    ) -> None:
        """Tokenises ``reports``; a text is ``together`` sentences of one report, ConVIRT's is 1.

        A report without a usable sentence has no text.
        """
        found = [usable_sentences(report) for report in reports]
        self.start = np.concatenate([[0], np.cumsum([len(texts) for texts in found])]).astype(int)
        flat = [text for texts in found for text in texts]
        self.content = np.array([arrays.hash_text(text.lower()) for text in flat], np.int64)
        self._tokens, self._token_start = _flat_tokens(flat, tokenizer, max_tokens)
        self._max_tokens, self._together = max_tokens, together

    def count(self) -> Ints:
        """``[reports]``: how many sentences each has."""
        return np.diff(self.start)

    def pick(self, report: int, rng: np.random.Generator | None) -> Ints:
        """Numbers of the sentences of one text: random ones, or without ``rng`` the first."""
        first, last = int(self.start[report]), int(self.start[report + 1])
        count = min(self._together, last - first)
        if rng is None:
            return np.arange(first, first + count)
        return np.sort(rng.choice(last - first, count, replace=False)) + first

    def take(self, texts: Sequence[Ints]) -> TextBatch:
        """One text for each group of sentence numbers, padded to the longest."""
        sizes = np.array([len(group) for group in texts])
        wanted = np.concatenate(texts)
        head = np.zeros(len(wanted), bool)
        head[np.cumsum(sizes) - sizes] = True
        starts = self._token_start[wanted] + ~head
        counts = self._token_start[wanted + 1] - starts
        tokens = self._tokens[np.repeat(starts, counts) + arrays.within(counts)]
        lengths = np.add.reduceat(counts, np.cumsum(sizes) - sizes)
        return _padded(tokens, lengths, self._max_tokens)

    def contents(self, texts: Sequence[Ints]) -> Ints:
        """``[texts]``: equal where the texts are the same sentences."""
        return np.array([hash(tuple(self.content[group].tolist())) for group in texts], np.int64)


def usable_sentences(report: str) -> list[str]:
    """Sentences of findings and impression with more than three words."""
    found = sentences(body(report))
    return [text for text in found if len(text.split()) >= SHORTEST_SENTENCE]


def text_batch(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> TextBatch:
    """Tokenises and pads ``texts``."""
    tokens, start = _flat_tokens(texts, tokenizer, max_tokens)
    return _padded(tokens, np.diff(start), max_tokens)


def _flat_tokens(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> tuple[Ints, Ints]:
    encoded = [item.ids for item in tokenizer.encode_batch(list(texts))]
    cut = [ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]] for ids in encoded]
    start = np.concatenate([[0], np.cumsum([len(ids) for ids in cut])]).astype(np.int64)
    return np.array([piece for ids in cut for piece in ids], np.int64), start


def _padded(flat: Ints, counts: Ints, max_tokens: int) -> TextBatch:
    """A text longer than ``max_tokens`` is cut and keeps its last token."""
    longest = int(counts.max()) if len(counts) else 0
    mask = np.arange(longest) < counts[:, None]
    tokens = np.zeros(mask.shape, np.int64)
    tokens[mask] = flat
    if longest > max_tokens:
        cut = counts > max_tokens
        tokens[cut, max_tokens - 1] = tokens[cut, counts[cut] - 1]
        tokens, mask = tokens[:, :max_tokens], mask[:, :max_tokens]
    return TextBatch(torch.from_numpy(tokens), torch.from_numpy(mask))


class GraphStore:
    """Every graph as flat arrays, super-nodes and roots included."""

    def __init__(
        self, graphs: Sequence[Graph], tokenizer: Tokenizer, *, context: bool, window: int = 512
    ) -> None:
        """With ``context``, whole reports are tokenised too, in windows of ``window`` tokens."""
        self.structure = arrays.build_structure(graphs)
        self.pieces, self.piece_start = arrays.entity_pieces(graphs, self.structure, tokenizer)
        self.windows = arrays.report_windows(graphs, tokenizer, window) if context else None
        self.content = np.array([arrays.content_hash(graph) for graph in graphs], np.int64)
        self.entities = np.array([len(graph.entities) for graph in graphs], np.int64)

    def take(self, wanted: Ints) -> GraphBatch:
        """The graphs with these numbers, assembled without a loop."""
        s = self.structure
        nodes, node_counts = arrays.ranges(s.node_start, wanted)
        edges, edge_counts = arrays.ranges(s.edge_start, wanted)
        first_node = np.concatenate([[0], np.cumsum(node_counts)])[:-1]
        shift = np.repeat(first_node, edge_counts)
        pieces, piece_counts = arrays.ranges(self.piece_start, nodes)
        sorted_edges = _segments(
            s.source[edges] + shift, s.target[edges] + shift, s.type[edges], len(nodes)
        )
        return GraphBatch(
            graphs=len(wanted),
            kind=torch.from_numpy(s.kind[nodes]),
            graph=torch.from_numpy(np.repeat(np.arange(len(wanted)), node_counts)),
            position=torch.from_numpy(nodes - np.repeat(s.node_start[wanted], node_counts)),
            pieces=torch.from_numpy(self.pieces[pieces]),
            piece_offsets=torch.from_numpy(np.cumsum(piece_counts) - piece_counts),
            **sorted_edges,
            **self._context(wanted, first_node),
        )

    def _context(self, wanted: Ints, first_node: Ints) -> dict[str, Any]:
        w = self.windows
        if w is None:
            return {}
        rows, row_counts = arrays.ranges(w.start, wanted)
        places, place_counts = arrays.ranges(w.piece_start, wanted)
        longest = int(w.used[rows].max())
        first_row = np.cumsum(row_counts) - row_counts
        row = w.window[places] + np.repeat(first_row, place_counts)
        return {
            "context": TextBatch(
                torch.from_numpy(w.tokens[rows, :longest]),
                torch.from_numpy(np.arange(longest) < w.used[rows][:, None]),
            ),
            "places": torch.from_numpy(row * longest + w.offset[places]),
            "owner": torch.from_numpy(w.node[places] + np.repeat(first_node, place_counts)),
        }


def _segments(source: Ints, target: Ints, kind: Ints, nodes: int) -> dict[str, Any]:
    key = kind * nodes + target
    order = np.argsort(key, kind="stable")
    key = key[order]
    new = np.concatenate([[True], key[1:] != key[:-1]]) if len(key) else np.zeros(0, bool)
    segment = np.cumsum(new) - 1
    size = np.bincount(segment) if len(segment) else segment
    relation = key[new] // max(nodes, 1)
    bounds = np.searchsorted(relation, np.arange(arrays.EDGE_TYPES + 1))
    return {
        "source": torch.from_numpy(source[order]),
        "segment": torch.from_numpy(segment),
        "weight": torch.from_numpy((1 / size[segment]).astype(np.float32)),
        "target": torch.from_numpy(target[order][new]),
        "bounds": tuple(int(b) for b in bounds),
    }


@dataclass(frozen=True)
class PairSettings:
    """How pairs are made of studies."""

    size: int
    """Height and width of the images, pixels."""
    augmentation: AugmentationConfig | None
    """None: the whole image, and the first sentence (validation)."""
    seed: int


class PairData:
    """The studies of one split that have both an image and a partner."""

    def __init__(
        self,
        studies: StudySet,
        members: Ints,
        settings: PairSettings,
        texts: SentenceStore | None,
        graphs: GraphStore | None,
    ) -> None:
        """``members`` are numbers of studies; the stores cover the whole set, in its order."""
        self._set = studies
        self._texts, self._graphs = texts, graphs
        self._reports = np.array(
            [arrays.hash_text(body(report).lower()) for report in studies.reports], np.int64
        )
        self.settings = settings
        usable = studies.image_count[members] > 0
        if texts is not None:
            usable &= texts.count()[members] > 0
        if graphs is not None:
            usable &= graphs.entities[members] > 0
        self.members = members[usable]
        self.without_partner = int((~usable).sum())

    def __len__(self) -> int:
        return len(self.members)

    def batch(self, places: Ints, turn: int) -> PairBatch:
        """The pairs of ``self.members[places]`` in pass number ``turn`` over the data."""
        chosen = self.members[places]
        drawn = [self._draw(int(study), turn) for study in chosen]
        pixels, texts = [film for film, _ in drawn], [text for _, text in drawn]
        batch = PairBatch(
            pixels=torch.from_numpy(np.stack(pixels)),
            study=torch.from_numpy(chosen),
            report=torch.from_numpy(self._reports[chosen]),
        )
        if self._texts is not None:
            content = torch.from_numpy(self._texts.contents(texts))
            batch = replace(batch, text=self._texts.take(texts), text_content=content)
        if self._graphs is not None:
            content = torch.from_numpy(self._graphs.content[chosen])
            batch = replace(batch, graph=self._graphs.take(chosen), graph_content=content)
        return batch

    def _draw(self, study: int, turn: int) -> tuple[NDArray[np.uint8], Ints]:
        """One image of the study, and the numbers of the sentences of its text."""
        settings, texts = self.settings, self._texts
        key = [settings.seed, (turn << 40) + study]
        random = settings.augmentation is not None
        rng = np.random.Generator(np.random.Philox(key=key))
        view = int(rng.integers(self._set.image_count[study])) if random else 0
        image = self._set.pixels(int(self._set.first_image[study]) + view)
        text = _NO_TEXT if texts is None else texts.pick(study, rng if random else None)
        if settings.augmentation is None:
            return fit(image, settings.size), text
        return augment(image, settings.size, settings.augmentation, rng), text


_NO_TEXT = np.zeros(0, np.int64)
