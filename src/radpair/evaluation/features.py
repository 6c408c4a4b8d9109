"""What a frozen encoder makes of a study set, computed once and kept under a hash of its content.

The cache is keyed by everything that decides the values (the model's hash, which covers weights and
preprocessing, the study set's hash, which images, and the source that encodes them), never by a
file name, so a stale entry cannot be met.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import nn

from radpair.errors import EvaluationError
from radpair.evaluation.code import ENCODING, code_hash
from radpair.models.folder import write_atomically

Codes = NDArray[np.float32]
_FORM = "radpair.features/1"
_CHUNK = 256
_SAME = 1e-5
"""Features no farther apart than this share of them differ by rounding alone."""


class Encoded(Protocol):
    """What ``encode_images`` returns."""

    @property
    def features(self) -> Codes:
        """``[images, features]``: what the image encoder gives."""

    @property
    def projections(self) -> Codes:
        """``[images, dim]``: the features in the space that both towers share."""


class ImageEncoder(Protocol):
    """The part of ``radpair.models.Model`` that encodes images."""

    name: str
    hash: str

    def encode_images(self, images: Iterable[NDArray[np.uint8]]) -> Encoded:
        """The codes of grey radiographs ``[height, width]`` of any sizes, in their order."""


class ImageSet(Protocol):
    """The part of ``radpair.studyset.StudySet`` that holds pixels."""

    image_study: NDArray[np.int64]

    @property
    def content_hash(self) -> str:
        """Changes with any byte of the set; features are kept under it."""

    def pixels(self, image: int) -> NDArray[np.uint8]:
        """``[height, width]``, 0 black to 255 white."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """Codes of every image of a study set, in its order."""

    features: Codes
    """``[images, dim]``: the encoder's output."""
    projections: Codes
    """``[images, shared]``: unit vectors of the space shared with texts and graphs."""


def encode_study_set(
    model: ImageEncoder,
    images: ImageSet,
    cache: Path | None = None,
    on_images: Callable[[int, int], None] | None = None,
) -> ImageFeatures:
    """Encodes every image with ``model`` in evaluation mode, or reads the codes from ``cache``.

    ``on_images(done, total)`` is called as images are encoded. Raises ``EvaluationError`` when a
    cached file is damaged, when the encoder changes its own buffers, or when codes are not finite.
    """
    path = None if cache is None else cache / f"{cache_key(model, images)}.safetensors"
    if path is not None and path.is_file():
        return _read(path, len(images.image_study))
    found = _encode(model, images, on_images or (lambda done, total: None))
    if path is not None:
        _write(path, found, {"form": _FORM, "model": model.name, "model_hash": model.hash})
    return found


def cache_key(model: ImageEncoder, images: ImageSet) -> str:
    """Hex digits that stand for the model, its preprocessing, the study set, its images and the
    code that encodes them."""
    parts = [_FORM, code_hash(ENCODING), model.hash, images.content_hash, len(images.image_study)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def refuse_constant(name: str, features: NDArray[Any]) -> None:
    """Raises ``EvaluationError`` where ``features [rows, dim]`` of several rows are all the same.

    Rounding alone would rank them.
    """
    if len(features) < 2:
        return
    width = float(np.ptp(features, axis=0).max())
    if width <= _SAME * float(np.abs(features[0]).max()):
        raise EvaluationError(
            f"model '{name}' gives all {len(features)} images or studies the same features, which "
            "rank nothing; look at the images (radpair verify) and the model"
        )


def unit_length(codes: NDArray[Any]) -> Codes:
    """``[rows, dim]`` codes scaled to length 1, float32; a row of zeros stays one."""
    norms = np.linalg.norm(codes.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(codes / np.maximum(norms, 1e-12), dtype=np.float32)


def study_means(codes: Codes, image_study: NDArray[np.int64], studies: int) -> Codes:
    """The mean over each study's images ``[studies, dim]``.

    ``codes [images, dim]``; ``image_study [images]`` is the study of each image.
    """
    total = np.zeros((studies, codes.shape[1]))
    np.add.at(total, image_study, codes.astype(np.float64))
    counts = np.bincount(image_study, minlength=studies)
    if (counts == 0).any():
        empty = int(np.flatnonzero(counts == 0)[0])
        raise EvaluationError(f"study number {empty} has no image: leave it out of the study set")
    return np.asarray(total / counts[:, None], dtype=np.float32)


@contextmanager
def frozen(model: object) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards the modes are as before and buffers unchanged.

    Linear evaluation that leaves batch normalisation in training mode lets every batch, the test
    set's too, move the statistics. Raises ``EvaluationError`` if a buffer changed all the same.
    """
    modules = _modules(model)
    modes = [(part, part.training) for module in modules for part in module.modules()]
    before = buffer_hash(model)
    try:
        for module in modules:
            module.eval()
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training
    if buffer_hash(model) != before:
        raise EvaluationError(
            "the encoder changed its own buffers while it encoded: it is not frozen, so its codes "
            "depend on the order of the images"
        )


def buffer_hash(model: object) -> str:
    """A hash of every buffer and parameter of the modules that ``model`` is or holds."""
    digest = hashlib.sha256()
    for module in _modules(model):
        for name, value in sorted(module.state_dict().items()):
            if isinstance(value, torch.Tensor):
                digest.update(name.encode())
                flat = value.detach().cpu().contiguous().view(-1).view(torch.uint8)
                digest.update(flat.numpy().tobytes())
    return digest.hexdigest()


def _modules(model: object) -> list[nn.Module]:
    if isinstance(model, nn.Module):
        return [model]
    return [value for value in vars(model).values() if isinstance(value, nn.Module)]


def _encode(
    model: ImageEncoder, images: ImageSet, on_images: Callable[[int, int], None]
) -> ImageFeatures:
    total = len(images.image_study)
    features: list[Codes] = []
    projections: list[Codes] = []
    with frozen(model):
        for start in range(0, total, _CHUNK):
            chosen = range(start, min(start + _CHUNK, total))
            codes = model.encode_images(images.pixels(image) for image in chosen)
            features.append(_finite(codes.features, model.name, start))
            projections.append(codes.projections)
            on_images(chosen.stop, total)
    if not features:
        raise EvaluationError("the study set holds no images: nothing can be encoded")
    return ImageFeatures(np.concatenate(features), np.concatenate(projections))


def _finite(codes: Codes, name: str, start: int) -> Codes:
    bad = np.flatnonzero(~np.isfinite(codes).all(axis=1))
    if len(bad):
        raise EvaluationError(
            f"model '{name}' gives features that are not finite numbers, first for image "
            f"{start + int(bad[0])}: its training went astray"
        )
    return codes


def _write(path: Path, found: ImageFeatures, facts: dict[str, str]) -> None:
    """Whole or not there, so that a half-written entry is never met."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tables: dict[str, NDArray[Any]] = {
        "features": np.ascontiguousarray(found.features),
        "projections": np.ascontiguousarray(found.projections),
    }
    write_atomically(path, save(tables, metadata=facts))


def _read(path: Path, images: int) -> ImageFeatures:
    try:
        with safe_open(path, framework="np") as file:
            found = ImageFeatures(file.get_tensor("features"), file.get_tensor("projections"))
    except (SafetensorError, OSError) as error:
        raise EvaluationError(f"{path} is damaged ({error}): delete it and run again") from error
    if len(found.features) != images:
        raise EvaluationError(f"{path} holds other images than asked for: delete it and run again")
    return found
