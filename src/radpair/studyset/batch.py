"""Batches of pairs: an image of each study and its partner, as tensors.

What is random about a study is drawn from a generator seeded by (seed, pass, study): it does not
depend on the order of the batch, on the number of workers, or on what was read before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from radpair.errors import RecipeError
from radpair.graphs import arrays
from radpair.images.augment import AugmentationConfig, Variation, draw, fit, vary
from radpair.images.augment_batch import FilmBatch, pack_films, render
from radpair.reports import body, sentences
from radpair.studyset.graph_store import GraphStore as GraphStore
from radpair.studyset.kept import Arrays, kept_arrays, text_hash, tokenizer_hash
from radpair.studyset.read import StudySet
from radpair.studyset.tensors import GraphBatch as GraphBatch
from radpair.studyset.tensors import TensorGroup
from radpair.studyset.tensors import TextBatch as TextBatch
from radpair.studyset.tensors import to_device as to_device

Ints = NDArray[np.int64]
Pieces = NDArray[np.int32]
SHORTEST_SENTENCE = 4
"""Words; shorter sentences are dropped (ConVIRT, section 4.1)."""


@dataclass(frozen=True)
class PairBatch(TensorGroup):
    """One image and one partner of each of a batch's studies."""

    pixels: Tensor
    """``[studies, size, size]`` uint8, 0 black to 255 white; no rows before ``with_pixels`` where
    the pictures are made on the device."""
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
    films: FilmBatch | None = None
    """What ``with_pixels`` makes the pictures of."""


def with_pixels(batch: PairBatch) -> PairBatch:
    """The same batch with its pictures, made of its films on the device where these lie.

    A batch that has its pictures already comes back as it is.
    """
    if batch.films is None:
        return batch
    return replace(batch, pixels=render(batch.films), films=None)


class SentenceStore:
    """Every usable sentence of every report, tokenised once.

    Can be pickled; arrays that are kept in a folder are then opened again by path.
    """

    def __init__(
        self,
        reports: Sequence[str],
        tokenizer: Tokenizer,
        max_tokens: int,
        together: int = 1,
        cache: Path | None = None,
    ) -> None:
        """Tokenises ``reports``; a text is ``together`` sentences of one report, ConVIRT's is 1.

        A report without a usable sentence has no text. With ``cache`` the arrays are kept below
        that folder (``studyset.kept``), and taken from there where they were computed before.
        Raises ``StudySetError`` where they were altered or the disk fails.
        """
        compute = partial(_sentence_arrays, reports, tokenizer, max_tokens)
        if cache is None:
            found: Arrays = compute()
        else:
            identity = {
                "reports": text_hash(reports),
                "tokenizer": tokenizer_hash(tokenizer),
                "max_tokens": max_tokens,
                "shortest_sentence": SHORTEST_SENTENCE,
            }
            found = kept_arrays(cache, "sentences", identity, compute)
        self._open(found, max_tokens, together)

    def __getstate__(self) -> tuple[Arrays, int, int]:
        return self._arrays, self._max_tokens, self._together

    def __setstate__(self, state: tuple[Arrays, int, int]) -> None:
        self._open(*state)

    def _open(self, found: Arrays, max_tokens: int, together: int) -> None:
        self._arrays, self._max_tokens, self._together = found, max_tokens, together
        self.start, self.content = found["start"], found["content"]
        self._tokens, self._token_start = found["tokens"], found["token_start"]

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


def _sentence_arrays(
    reports: Sequence[str], tokenizer: Tokenizer, max_tokens: int
) -> dict[str, NDArray[Any]]:
    found = [usable_sentences(report) for report in reports]
    flat = [text for texts in found for text in texts]
    tokens, token_start = _flat_tokens(flat, tokenizer, max_tokens)
    return {
        "start": np.cumsum([0, *(len(texts) for texts in found)]),
        "content": np.array([arrays.hash_text(text.lower()) for text in flat], np.int64),
        "tokens": tokens,
        "token_start": token_start,
    }


def report_contents(reports: Sequence[str], cache: Path | None = None) -> Arrays:
    """``content [reports]``: equal where findings and impression are identical.

    With ``cache`` kept and found again as sentences are. Raises ``StudySetError``.
    """
    compute = partial(_report_arrays, reports)
    if cache is None:
        return compute()
    return kept_arrays(cache, "reports", {"reports": text_hash(reports)}, compute)


def _report_arrays(reports: Sequence[str]) -> dict[str, NDArray[Any]]:
    contents = [arrays.hash_text(body(report).lower()) for report in reports]
    return {"content": np.array(contents, np.int64)}


def usable_sentences(report: str) -> list[str]:
    """Sentences of findings and impression with more than three words."""
    found = sentences(body(report))
    return [text for text in found if len(text.split()) >= SHORTEST_SENTENCE]


def text_batch(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> TextBatch:
    """Tokenises and pads ``texts``."""
    tokens, start = _flat_tokens(texts, tokenizer, max_tokens)
    return _padded(tokens, np.diff(start), max_tokens)


def _flat_tokens(
    texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int
) -> tuple[Pieces, Ints]:
    encoded = [item.ids for item in tokenizer.encode_batch(list(texts))]
    cut = [ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]] for ids in encoded]
    start = np.concatenate([[0], np.cumsum([len(ids) for ids in cut])]).astype(np.int64)
    return np.array([piece for ids in cut for piece in ids], np.int32), start


def _padded(flat: Pieces, counts: Ints, max_tokens: int) -> TextBatch:
    """A text longer than ``max_tokens`` is cut and keeps its last token."""
    longest = int(counts.max()) if len(counts) else 0
    mask = np.arange(longest) < counts[:, None]
    tokens = np.zeros(mask.shape, np.int64)
    tokens[mask] = flat
    if longest > max_tokens:
        cut = counts > max_tokens
        tokens[cut, max_tokens - 1] = tokens[cut, counts[cut] - 1]
        tokens, mask = tokens[:, :max_tokens], mask[:, :max_tokens]
    lengths = tuple(np.minimum(counts, max_tokens).tolist())
    return TextBatch(torch.from_numpy(tokens), torch.from_numpy(mask), lengths)


@dataclass(frozen=True)
class PairSettings:
    """How pairs are made of studies."""

    size: int
    """Height and width of the images, pixels."""
    augmentation: AugmentationConfig | None
    """None: the whole image, and the first sentence (validation)."""
    seed: int
    augment_on: Literal["host", "device"] = "host"
    """``device``: a batch brings its films as they are stored; ``with_pixels`` does the rest."""

    def __post_init__(self) -> None:
        if self.augment_on not in ("host", "device"):
            raise RecipeError(f"augment_on is '{self.augment_on}'; give 'host' or 'device'")


class PairData:
    """The studies of one split that have both an image and a partner."""

    def __init__(
        self,
        studies: StudySet,
        members: Ints,
        settings: PairSettings,
        texts: SentenceStore | None,
        graphs: GraphStore | None,
        reports: Arrays | None = None,
    ) -> None:
        """``members`` are numbers of studies; the stores cover the whole set, in its order.

        ``reports`` are the set's ``report_contents``, where they are known already.
        """
        self._set = studies
        self._texts, self._graphs = texts, graphs
        self._reports = reports or report_contents(studies.reports)
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
        drawn = [self._draw(study, turn) for study in chosen.tolist()]
        texts = [text for _, text, _ in drawn]
        pixels, films = self._pictures(
            np.array([image for image, _, _ in drawn], np.int64), [fate for _, _, fate in drawn]
        )
        batch = PairBatch(
            pixels=pixels,
            study=torch.from_numpy(chosen),
            report=torch.from_numpy(self._reports["content"][chosen]),
            films=films,
        )
        if self._texts is not None:
            content = torch.from_numpy(self._texts.contents(texts))
            batch = replace(batch, text=self._texts.take(texts), text_content=content)
        if self._graphs is not None:
            content = torch.from_numpy(self._graphs.content[chosen])
            batch = replace(batch, graph=self._graphs.take(chosen), graph_content=content)
        return batch

    def _draw(self, study: int, turn: int) -> tuple[int, Ints, Variation | None]:
        """One image of the study, the numbers of its text's sentences, and what is done to it."""
        settings, texts = self.settings, self._texts
        first = int(self._set.first_image[study])
        if settings.augmentation is None:
            return first, _NO_TEXT if texts is None else texts.pick(study, None), None
        rng = np.random.Generator(np.random.Philox(key=[settings.seed, (turn << 40) + study]))
        view = int(rng.integers(self._set.image_count[study]))
        text = _NO_TEXT if texts is None else texts.pick(study, rng)
        return first + view, text, draw(settings.augmentation, rng)

    def _pictures(
        self, images: Ints, variations: Sequence[Variation | None]
    ) -> tuple[Tensor, FilmBatch | None]:
        """The pictures; or none yet, and the films."""
        size = self.settings.size
        if self.settings.augment_on == "device":
            drawn = [variation for variation in variations if variation is not None]
            films = pack_films(*self._set.films(images), size, drawn or None)
            return torch.empty(0, size, size, dtype=torch.uint8), films
        pictures = [
            fit(film, size) if variation is None else vary(film, size, variation)
            for film, variation in zip(
                map(self._set.pixels, images.tolist()), variations, strict=True
            )
        ]
        return torch.from_numpy(np.stack(pictures)), None


_NO_TEXT = np.zeros(0, np.int64)
