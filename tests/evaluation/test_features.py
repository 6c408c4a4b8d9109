from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from radpair.errors import EvaluationError
from radpair.evaluation.features import (
    buffer_hash,
    cache_key,
    encode_study_set,
    frozen,
    study_means,
)


class Films:
    """Nine random films of five studies, in memory."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._films = rng.integers(0, 256, size=(9, 12, 12), dtype=np.uint8)
        self.image_study = np.array([0, 0, 1, 2, 2, 2, 3, 4, 4])
        self.content_hash = f"films-{seed}"

    def pixels(self, image: int) -> np.ndarray:
        return self._films[image]

    def __len__(self) -> int:
        return 5


class Convolution:
    """A small real network with batch normalisation, left in training mode on purpose."""

    name = "convolution"

    def __init__(self, hash: str = "one", eager: bool = False) -> None:
        torch.manual_seed(0)
        self.hash, self.eager, self.calls = hash, eager, 0
        self.network = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ).train()

    def encode_images(self, images: Iterable[np.ndarray]) -> SimpleNamespace:
        self.calls += 1
        if self.eager:
            self.network.train()
        pixels = torch.from_numpy(np.stack(list(images)))[:, None] / 255
        codes = self.network(pixels)
        return SimpleNamespace(
            features=codes.numpy(), projections=nn.functional.normalize(codes).numpy()
        )


def test_frozen_means_frozen() -> None:
    """Defect 17."""
    model = Convolution()
    before = buffer_hash(model)
    encode_study_set(model, Films())
    assert buffer_hash(model) == before
    assert model.network.training
    with torch.no_grad():
        model.network(torch.rand(4, 1, 12, 12))
    assert buffer_hash(model) != before  # what an encoder in training mode would have done


def test_an_encoder_that_trains_itself_is_caught() -> None:
    """Defect 17."""
    with pytest.raises(EvaluationError, match="changed its own buffers"):
        encode_study_set(Convolution(eager=True), Films())


def test_modes_return_after_an_exception() -> None:
    model = Convolution()
    model.network[1].eval()
    with pytest.raises(ZeroDivisionError), frozen(model):
        1 / int(model.network.training)
    assert model.network.training
    assert not model.network[1].training


def test_codes_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encode_study_set(Convolution(), Films())
    monkeypatch.setattr("radpair.evaluation.features._CHUNK", 2)
    told: list[tuple[int, int]] = []
    parts = encode_study_set(Convolution(), Films(), on_images=lambda *n: told.append(n))
    np.testing.assert_allclose(parts.features, whole.features, atol=1e-6)
    assert told == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]


def test_the_cache_answers_for_the_same_content_only(tmp_path) -> None:
    """Defect 21."""
    model = Convolution()
    first = encode_study_set(model, Films(), tmp_path)
    again = encode_study_set(model, Films(), tmp_path)
    assert model.calls == 1
    np.testing.assert_array_equal(first.features, again.features)
    np.testing.assert_array_equal(first.projections, again.projections)
    encode_study_set(model, Films(seed=1), tmp_path)
    other = Convolution(hash="two")  # the same name and file places, other weights
    encode_study_set(other, Films(), tmp_path)
    assert (model.calls, other.calls) == (2, 1)
    assert len(list(tmp_path.iterdir())) == 3
    assert cache_key(model, Films()) != cache_key(other, Films())


def test_a_damaged_entry_is_named(tmp_path) -> None:
    encode_study_set(Convolution(), Films(), tmp_path)
    entry = next(tmp_path.iterdir())
    entry.write_bytes(entry.read_bytes()[:50])
    with pytest.raises(EvaluationError, match=f"{entry.name} is damaged"):
        encode_study_set(Convolution(), Films(), tmp_path)


def test_codes_that_are_not_finite_name_the_image() -> None:
    model = Convolution()
    with torch.no_grad():
        model.network[0].weight.fill_(float("nan"))
    with pytest.raises(EvaluationError, match="first for image 0"):
        encode_study_set(model, Films())


def test_a_study_is_the_mean_of_its_images() -> None:
    films = Films()
    codes = np.random.default_rng(0).random((9, 3)).astype(np.float32)
    found = study_means(codes, films.image_study, 5)
    expected = np.stack([codes[films.image_study == study].mean(axis=0) for study in range(5)])
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with pytest.raises(EvaluationError, match="study number 5 has no image"):
        study_means(codes, films.image_study, 6)
