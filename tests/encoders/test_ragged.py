"""Attention over nested tensors is tried before it is used, and goes another way where it fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from radpair.encoders import ragged

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def untried() -> Iterator[None]:
    ragged.jagged_agrees.cache_clear()
    yield
    ragged.jagged_agrees.cache_clear()


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_both_ways_agree_here(mode: Any) -> None:
    before = torch.get_rng_state()
    with mode(), torch.autocast("cpu", torch.bfloat16):
        assert ragged.jagged_agrees(CPU, torch.float32, 8)
    assert torch.equal(torch.get_rng_state(), before)


def refused(*_: Any) -> torch.Tensor:
    raise RuntimeError("No viable backend for attention")


def without_gradient(rows: torch.Tensor, *rest: Any) -> torch.Tensor:
    found = ragged.attend_by_size(rows, *rest)
    return found.detach() + 0 * rows.sum()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (refused, "No viable backend"),
        (lambda *given: ragged.attend_by_size(*given) + 1, "other values"),
        (without_gradient, "other values"),
    ],
)
def test_what_fails_or_differs_is_not_used(
    broken: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ragged, "attend_jagged", broken)
    with pytest.warns(UserWarning, match=why):
        assert not ragged.jagged_agrees(CPU, torch.float32, 8)


def test_too_little_memory_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(ragged, "attend_jagged", full)
    with pytest.raises(torch.OutOfMemoryError):
        ragged.jagged_agrees(CPU, torch.float32, 8)
