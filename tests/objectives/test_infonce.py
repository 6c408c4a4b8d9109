from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.errors import RecipeError
from radpair.objectives.config import MAX_SCALE, ObjectiveConfig, Temperature
from radpair.objectives.infonce import (
    infonce,
    same_pairs,
)


def slow_loss(images, partners, scale, same, weight):
    """ConVIRT's equations, one pair at a time."""

    def cosine(a, b):
        return float(a @ b / (a.norm() * b.norm()))

    count = len(images)
    total = 0.0
    for i in range(count):
        others = [j for j in range(count) if j == i or not same[i][j]]
        own = scale * cosine(images[i], partners[i])
        rows = sum(math.exp(scale * cosine(images[i], partners[j])) for j in others)
        columns = sum(math.exp(scale * cosine(images[j], partners[i])) for j in others)
        total -= weight * (own - math.log(rows)) + (1 - weight) * (own - math.log(columns))
    return total / count


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 7), st.integers(0, 10**6), st.floats(0, 1))
def test_equals_the_slow_version(count: int, seed: int, weight: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 5, generator=generator)
    partners = torch.randn(count, 5, generator=generator)
    study = torch.arange(count)
    content = torch.randint(0, 4, (count,), generator=generator)
    same = same_pairs(study, content)
    found = infonce(images, partners, torch.tensor(7.0), same, weight)["loss"]
    assert float(found) == pytest.approx(slow_loss(images, partners, 7.0, same, weight), abs=1e-4)


def test_values_are_those_of_the_first_release() -> None:
    """Bit for bit: a run continued with this version ends with the same weights."""
    generator = torch.Generator().manual_seed(0)
    images, partners = torch.randn(2, 33, 16, generator=generator)
    scale = torch.tensor(9.0)
    same = same_pairs(torch.randint(0, 20, (33,), generator=generator))
    logits = scale * F.normalize(images.float(), dim=1) @ F.normalize(partners.float(), dim=1).T
    logits = logits.masked_fill(same & ~torch.eye(33, dtype=torch.bool), -torch.inf)
    own = torch.arange(33)
    wanted = 0.3 * F.cross_entropy(logits, own) + 0.7 * F.cross_entropy(logits.T, own)
    assert torch.equal(infonce(images, partners, scale, same, 0.3)["loss"], wanted)


def test_identical_partners_are_no_negatives() -> None:
    """Defect 9: a second study with the same sentence must not be pushed away."""
    images = torch.eye(3, 8)
    partners = torch.eye(3, 8)
    images[1], partners[1] = images[0], partners[0]
    scale = torch.tensor(50.0)
    pushed = infonce(images, partners, scale)["loss"]
    masked = infonce(images, partners, scale, same_pairs(torch.arange(3), torch.tensor([5, 5, 6])))[
        "loss"
    ]
    assert pushed > 0.4
    assert masked < 1e-3


def test_one_study_twice_is_no_negative() -> None:
    """Defect 9: two images of one study."""
    images, partners = torch.randn(2, 8), torch.randn(2, 8)
    same = same_pairs(torch.tensor([4, 4]), torch.tensor([1, 2]))
    assert float(infonce(images, partners, torch.tensor(10.0), same)["loss"]) == pytest.approx(0.0)


def test_gradient_reaches_both_sides() -> None:
    images = torch.randn(4, 8, requires_grad=True)
    partners = torch.randn(4, 8, requires_grad=True)
    infonce(images, partners, torch.tensor(5.0))["loss"].backward()
    assert images.grad.abs().sum() > 0
    assert partners.grad.abs().sum() > 0


def test_learned_scale_is_clamped() -> None:
    """Defect 10."""
    temperature = Temperature(ObjectiveConfig(temperature=0.07, learn_temperature=True))
    assert temperature().item() == pytest.approx(1 / 0.07, rel=1e-5)
    with torch.no_grad():
        temperature.log_scale.fill_(20.0)
    assert temperature().item() == pytest.approx(MAX_SCALE, rel=1e-5)
    assert not Temperature(ObjectiveConfig()).log_scale.requires_grad


def test_impossible_values_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"image_weight is 1\.5"):
        ObjectiveConfig(image_weight=1.5)
    with pytest.raises(RecipeError, match=r"temperature is 0\.001"):
        ObjectiveConfig(temperature=0.001)


def test_impossible_objectives_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"kind 'sigmod' is not known.*sigmoid"):
        ObjectiveConfig("sigmod")
    with pytest.raises(RecipeError, match=r"chunk is -1; it must be"):
        ObjectiveConfig(chunk=-1)
    with pytest.raises(RecipeError, match=r"temperature is inf"):
        ObjectiveConfig(temperature=math.inf)
    with pytest.raises(RecipeError, match=r"bias is nan"):
        ObjectiveConfig("sigmoid", bias=math.nan)


def test_keys_of_the_other_loss_are_refused() -> None:
    """No key that does nothing."""
    with pytest.raises(RecipeError, match=r"image_weight is 0\.7, but the sigmoid loss"):
        ObjectiveConfig("sigmoid", image_weight=0.7)
    with pytest.raises(RecipeError, match=r"bias is -5\.0, but infonce has no bias"):
        ObjectiveConfig(bias=-5.0)
