from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radpair.objectives import ObjectiveConfig, Temperature, share, whole
from radpair.objectives.infonce import infonce, infonce_share
from radpair.objectives.rows import left_out, same_pairs
from radpair.objectives.sigmoid import sigmoid, sigmoid_share
from radpair.settings import build

KINDS = ("infonce", "sigmoid")
DOUBLE = torch.float64


def draw(count: int, seed: int, kinds: int = 4, dim: int = 5, dtype: torch.dtype = DOUBLE):
    """Codes, scale and bias that want a gradient, and three keys with duplicates among them."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, dim, generator=generator, dtype=DOUBLE).to(dtype)
    partners = torch.randn(count, dim, generator=generator, dtype=DOUBLE).to(dtype)
    scale, bias = torch.tensor(7.0, dtype=DOUBLE), torch.tensor(-3.0, dtype=DOUBLE)
    keys = tuple(torch.randint(0, kinds + 2 * k, (count,), generator=generator) for k in range(3))
    return [value.requires_grad_() for value in (images, partners, scale, bias)], keys


def plain(config: ObjectiveConfig, values: list[Tensor], keys: tuple[Tensor, ...]):
    """The slow version: the whole matrix at once, by torch's own derivatives."""
    images, partners, scale, bias = values
    same = same_pairs(*keys) if keys else None
    if config.kind == "sigmoid":
        return sigmoid(images, partners, scale, bias, same)
    return infonce(images, partners, scale, same, config.image_weight)


def slopes(loss: Tensor, values: list[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, values, allow_unused=True, retain_graph=True)
    return [
        torch.zeros_like(value) if slope is None else slope
        for slope, value in zip(found, values, strict=True)
    ]


def assert_equal(found: dict[str, Tensor], wanted: dict[str, Tensor], atol: float) -> None:
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        allowed = 1e-6 if key == "accuracy" else atol  # a share of rows, in single precision
        assert found[key].item() == pytest.approx(value.item(), abs=allowed), key


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 12),
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(1, 6),
)
def test_shares_add_up_to_the_whole(
    kind: str, count: int, seed: int, processes: int, chunk: int, kinds: int
) -> None:
    """Any rows for any process, in any order, some with none."""
    config = ObjectiveConfig(kind, image_weight=0.3 if kind == "infonce" else 0.5, chunk=chunk)
    values, keys = draw(count, seed, kinds)
    generator = torch.Generator().manual_seed(seed + 1)
    order = torch.randperm(count, generator=generator)
    owner = torch.randint(0, processes, (count,), generator=generator)
    rows = [order[owner == process] for process in range(processes)]
    if processes == 1:
        rows = [slice(None)]
    parts = [share(config, *values, rows=own, keys=keys) for own in rows]
    wanted = plain(config, values, keys)
    assert_equal({key: sum(part[key] for part in parts) for key in wanted}, wanted, 1e-10)
    expected = slopes(wanted["loss"], values)
    summed = [
        sum(each) for each in zip(*(slopes(part["loss"], values) for part in parts), strict=True)
    ]
    for found, slope in zip(summed, expected, strict=True):
        torch.testing.assert_close(found, slope, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [0, 1, 3, 64])
def test_slices_are_rows(kind: str, chunk: int) -> None:
    config = ObjectiveConfig(kind, chunk=chunk)
    values, keys = draw(11, 3)
    parts = [
        share(config, *values, rows=slice(*ends), keys=keys) for ends in ((0, 4), (4, 4), (4, 11))
    ]
    wanted = plain(config, values, keys)
    assert_equal({key: sum(part[key] for part in parts) for key in wanted}, wanted, 1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [slice(None), slice(1, 5), torch.tensor([4, 0, 3])])
def test_gradcheck(kind: str, rows: slice | Tensor) -> None:
    """Against finite differences."""
    values, keys = draw(6, 1)

    def loss(images: Tensor, partners: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        config = ObjectiveConfig(kind, chunk=2)
        return share(config, images, partners, scale, bias, rows=rows, keys=keys)["loss"]

    assert torch.autograd.gradcheck(loss, values)


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_the_plain_loss_bit_for_bit(kind: str) -> None:
    config = ObjectiveConfig(kind)
    values, keys = draw(9, 2, dtype=torch.float32)
    wanted = plain(config, values, keys)
    for found in (
        whole(config, *values, keys=keys),
        share(config, *values, keys=keys),
        share(config, *values, rows=slice(0, 9), keys=keys),
    ):
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)
        for slope, expected in zip(
            slopes(found["loss"], values), slopes(wanted["loss"], values), strict=True
        ):
            assert torch.equal(slope, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [0, 4])
def test_half_precision_codes_are_compared_in_single(kind: str, chunk: int) -> None:
    """Also under autocast, which would multiply in half precision; the backward pass of a chunked
    loss computes similarities again."""
    values, keys = draw(9, 5, dtype=torch.bfloat16)
    config = ObjectiveConfig(kind, chunk=chunk)
    exact = [value.detach().to(DOUBLE).requires_grad_() for value in values]
    wanted = plain(config, exact, keys)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = whole(config, *values, keys=keys)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=chunk > 0):
        given = slopes(found["loss"], values)
    assert found["loss"].dtype != torch.bfloat16
    assert_equal(found, wanted, 1e-5)
    for slope, expected in zip(given, slopes(wanted["loss"], exact), strict=True):
        torch.testing.assert_close(slope.to(DOUBLE), expected, rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [0, 2])
def test_a_batch_of_one_report_is_finite(kind: str, chunk: int) -> None:
    """Every other pair is left out of every row."""
    values, _ = draw(5, 7, dtype=torch.float32)
    keys = (torch.zeros(5, dtype=torch.long),)
    for rows in (slice(None), slice(0, 3)):
        found = share(ObjectiveConfig(kind, chunk=chunk), *values, rows=rows, keys=keys)
        assert all(torch.isfinite(value) for value in found.values())
        assert all(torch.isfinite(slope).all() for slope in slopes(found["loss"], values))
        assert kind == "sigmoid" or found["loss"].item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [1e-4, 100.0, 1e5])
@pytest.mark.parametrize("rows", [slice(None), torch.arange(8)])
def test_extreme_scales(kind: str, factor: float, rows: slice | Tensor) -> None:
    values, keys = draw(8, 9, dtype=torch.float32)
    values[2] = torch.tensor(factor, requires_grad=True)
    exact = [value.detach().to(DOUBLE).requires_grad_() for value in values]
    wanted = plain(ObjectiveConfig(kind), exact, keys)
    found = share(ObjectiveConfig(kind, chunk=3), *values, rows=rows, keys=keys)
    assert found["loss"].item() == pytest.approx(wanted["loss"].item(), rel=1e-4)
    for slope, expected in zip(
        slopes(found["loss"], values), slopes(wanted["loss"], exact), strict=True
    ):
        allowed = 1e-4 * float(expected.abs().max()) + 1e-6
        torch.testing.assert_close(slope.to(DOUBLE), expected, rtol=1e-3, atol=allowed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [slice(None), torch.arange(6)])
def test_a_loss_that_is_not_finite_stays_so(kind: str, rows: slice | Tensor) -> None:
    """The loop stops on it, so no chunk may hide it."""
    values, keys = draw(6, 4)
    with torch.no_grad():
        values[0][4, 2] = math.nan
    found = share(ObjectiveConfig(kind, chunk=2), *values, rows=rows, keys=keys)
    assert math.isnan(found["loss"].item())


@pytest.mark.parametrize("kind", KINDS)
def test_without_gradient(kind: str) -> None:
    values, keys = draw(6, 4)
    config = ObjectiveConfig(kind, chunk=2)
    with torch.no_grad():
        found = whole(config, *values, keys=keys)
    assert not found["loss"].requires_grad
    assert_equal(found, plain(config, values, keys), 1e-10)
    frozen = [values[0].detach(), *values[1:]]
    loss = whole(config, *frozen, keys=keys)["loss"]
    for slope, expected in zip(
        slopes(loss, values[1:]),
        slopes(plain(config, values, keys)["loss"], values[1:]),
        strict=True,
    ):
        torch.testing.assert_close(slope, expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(0, 10**6), st.integers(1, 4))
def test_left_out_are_rows_of_same_pairs(count: int, seed: int, kinds: int) -> None:
    _, keys = draw(count, seed, kinds)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))[: count // 2 + 1]
    found = left_out(keys, order)
    for row, own in enumerate(order.tolist()):
        for column in range(count):
            same = any(int(key[own]) == int(key[column]) for key in keys)
            assert bool(found[row, column]) == (same and own != column)
    assert left_out((), order) is None


def test_shares_by_name_are_the_entry() -> None:
    values, keys = draw(7, 8)
    rows = torch.tensor([5, 0, 2])
    found = share(ObjectiveConfig(image_weight=0.8, chunk=2), *values, rows=rows, keys=keys)
    assert_equal(found, infonce_share(*values[:3], rows, keys, 0.8, 2), 0)
    found = share(ObjectiveConfig("sigmoid", chunk=2), *values, rows=rows, keys=keys)
    assert_equal(found, sigmoid_share(*values, rows, keys, 2), 0)


def test_the_sigmoid_loss_has_a_learned_bias() -> None:
    config = ObjectiveConfig("sigmoid", learn_temperature=True)
    temperature = Temperature(config)
    assert temperature().item() == pytest.approx(10)
    assert temperature.bias.item() == -10
    values, keys = draw(6, 1, dtype=torch.float32)
    loss = share(config, *values[:2], temperature(), temperature.bias, keys=keys)["loss"]
    loss.backward()
    assert temperature.bias.grad is not None
    assert temperature.log_scale.grad is not None
    assert Temperature(replace(config, bias=-4.0)).bias.item() == -4
    with pytest.raises(ValueError, match="needs a bias"):
        share(config, *values[:2], temperature())


def test_infonce_has_no_bias_among_its_weights() -> None:
    """So that model folders written before the sigmoid loss still load."""
    before = {"temperature": 0.07, "learn_temperature": True, "image_weight": 0.5}
    assert build(ObjectiveConfig, before) == ObjectiveConfig("infonce", 0.07, True)
    assert set(Temperature(ObjectiveConfig()).state_dict()) == {"log_scale"}
    assert set(Temperature(ObjectiveConfig("sigmoid")).state_dict()) == {"log_scale", "bias"}
