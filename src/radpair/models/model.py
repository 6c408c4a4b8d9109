"""A trained model to use: images, texts and graphs in, vectors out."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from tokenizers import Tokenizer

from radpair.encoders.image import ImageConfig
from radpair.errors import ModelError
from radpair.images.augment import fit
from radpair.models.folder import load_folder
from radpair.models.pair import PairConfig, PairModel
from radpair.records import Graph
from radpair.studyset.batch import GraphStore, text_batch, to_device

Floats = NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True)
class ImageCodes:
    """What a model makes of images."""

    features: Floats
    """``[images, features]``: the encoder's output, for probes."""
    projections: Floats
    """``[images, dim]``: unit vectors in the shared space, for zero-shot and retrieval."""


class Model:
    """A pair model with its preprocessing and tokenizer, in evaluation mode."""

    def __init__(
        self,
        pair: PairModel,
        tokenizer: Tokenizer | None,
        *,
        name: str,
        hash: str,
        labels: tuple[str, ...] = (),
        device: str = "cpu",
    ) -> None:
        self.pair = pair.to(device).eval()
        self.tokenizer = tokenizer
        self.name = name
        self.hash = hash
        """Of weights, configuration and tokenizer together."""
        self.labels = labels
        """The labels of the data that it was trained beside."""
        self.device = torch.device(device)

    @property
    def has_text(self) -> bool:
        """Whether ``encode_texts`` works."""
        return self.pair.text is not None

    @property
    def has_graph(self) -> bool:
        """Whether ``encode_graphs`` works."""
        return self.pair.graph is not None

    @property
    def size(self) -> int:
        """Height and width that images are fitted to, pixels."""
        return self.pair.config.image.size

    @torch.inference_mode()
    def encode_images(self, images: Iterable[NDArray[np.uint8]], batch: int = 64) -> ImageCodes:
        """Codes of grey radiographs ``[height, width]`` uint8, 0 black (air) to 255 white (dense).

        Each is zero-padded to a square and resized as in training. Raises ``ModelError`` for
        pixels of another shape or type.
        """
        features, projections = [], []
        for group in _groups((self._fitted(image) for image in images), batch):
            pixels = torch.from_numpy(np.stack(group)).to(self.device)
            found = self.pair.image(pixels)
            features.append(found.float().cpu().numpy())
            projections.append(_unit(self.pair.image_head(found)))
        if not features:
            width = self.pair.image.dim, self.pair.config.dim
            return ImageCodes(
                np.zeros((0, width[0]), np.float32), np.zeros((0, width[1]), np.float32)
            )
        return ImageCodes(np.concatenate(features), np.concatenate(projections))

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str], batch: int = 256) -> Floats:
        """Unit vectors ``[texts, dim]`` of sentences. Raises ``ModelError`` where it cannot."""
        if self.pair.text is None or self.tokenizer is None:
            raise ModelError(
                f"model {self.name} has no text tower; it was trained on graphs or images alone"
            )
        longest = self.pair.config.text.max_tokens
        found = [
            _unit(
                self.pair.text(to_device(text_batch(group, self.tokenizer, longest), self.device))
            )
            for group in _groups(texts, batch)
        ]
        return np.concatenate(found) if found else np.zeros((0, self.pair.config.dim), np.float32)

    @torch.inference_mode()
    def encode_graphs(self, graphs: Sequence[Graph], batch: int = 256) -> Floats:
        """Unit vectors ``[graphs, dim]``. Raises ``ModelError`` without a graph tower."""
        if self.pair.graph is None or self.tokenizer is None:
            raise ModelError(
                f"model {self.name} has no graph tower; it was trained on texts or images alone"
            )
        context = self.pair.config.has_context
        found = []
        for group in _groups(graphs, batch):
            window = self.pair.window
            store = GraphStore(group, self.tokenizer, context=context, window=window)
            taken = to_device(store.take(np.arange(len(group))), self.device)
            found.append(_unit(self.pair.graph(taken)))
        return np.concatenate(found) if found else np.zeros((0, self.pair.config.dim), np.float32)

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not isinstance(image, np.ndarray):
            raise ModelError(
                f"{image!r} was given where pixels are wanted; read a file first with "
                "radpair.images.decode"
            )
        if image.ndim != 2 or image.dtype != np.uint8:
            raise ModelError(
                f"an image of shape {image.shape} and type {image.dtype} was given; "
                "give grey pixels [height, width] as uint8 (radpair.images.decode reads any file)"
            )
        return fit(image, self.size)


def load(folder: str | Path, device: str = "cpu") -> Model:
    """Loads a model folder with no network; never unpickles.

    Raises ``ModelError`` where a part is missing or altered.
    """
    path = Path(folder)
    pair, tokenizer, described, whole = load_folder(path)
    place = path.resolve()
    name = place.parent.name if place.name == "model" else place.name
    labels = tuple(described["labels"])
    return Model(pair, tokenizer, name=name, hash=whole, labels=labels, device=device)


def random_model(like: str, seed: int = 0, device: str = "cpu") -> Model:
    """An image encoder with random weights: the control of every evaluation.

    ``like`` is a model folder, whose architecture and preprocessing are taken, or a timm name.
    """
    path = Path(like)
    if path.is_dir():
        config = load_folder(path)[0].config
        image = dataclasses.replace(config.image, weights="none")
        config = dataclasses.replace(config, partner="none", image=image)
    else:
        config = PairConfig(partner="none", image=ImageConfig(name=like))
    with torch.random.fork_rng(devices=[]):  # the weights are drawn on the host
        torch.manual_seed(seed)
        pair = PairModel(config, 0)
    name = path.parent.name if path.is_dir() and path.name == "model" else like
    digest = hashlib.sha256(f"random:{config!r}:{seed}".encode()).hexdigest()
    return Model(pair, None, name=f"random:{name}", hash=digest, device=device)


def open_model(name: str, device: str = "cpu") -> Model:
    """A model folder, or ``random:LIKE`` for a random encoder like a folder or a timm model."""
    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise ModelError(f"--device '{device}' is not to be had here; use cpu")
    if name.startswith("random:"):
        return random_model(name.removeprefix("random:"), device=device)
    return load(name, device=device)


def _unit(vectors: torch.Tensor) -> Floats:
    found: Floats = F.normalize(vectors.float(), dim=1).cpu().numpy()
    return found


def _groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while group := list(islice(iterator, size)):
        yield group
