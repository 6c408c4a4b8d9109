from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.objectives.rows import same_pairs
from radpair.objectives.sigmoid import sigmoid, sigmoid_share


def slow_loss(images, partners, scale, bias, study, content):
    """SigLIP's sum, one pair at a time."""
    count = len(images)
    positive = negative = 0.0
    for i in range(count):
        for j in range(count):
            cosine = float(images[i] @ partners[j] / (images[i].norm() * partners[j].norm()))
            logit = scale * cosine + bias
            if i == j:
                positive += math.log1p(math.exp(-logit))
            elif study[i] != study[j] and content[i] != content[j]:
                negative += math.log1p(math.exp(logit))
    return positive / count, negative / count


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 7), st.integers(0, 10**6), st.floats(0.01, 20), st.floats(-12, 3))
def test_equals_the_slow_version(count: int, seed: int, scale: float, bias: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 5, generator=generator)
    partners = torch.randn(count, 5, generator=generator)
    keys = (torch.arange(count) // 2, torch.randint(0, 4, (count,), generator=generator))
    terms = torch.tensor(scale), torch.tensor(bias)
    positive, negative = slow_loss(images, partners, scale, bias, *(key.tolist() for key in keys))
    for found in (
        sigmoid(images, partners, *terms, same_pairs(*keys)),
        sigmoid_share(images, partners, *terms, keys=keys, chunk=2),
    ):
        assert float(found["loss"]) == pytest.approx(positive + negative, rel=1e-4, abs=1e-4)
        assert float(found["positive"]) == pytest.approx(positive, rel=1e-4, abs=1e-4)
        assert float(found["negative"]) == pytest.approx(negative, rel=1e-4, abs=1e-4)


def test_left_out_pairs_have_no_gradient() -> None:
    """Neither pulled nor pushed: of two pairs of one study, only the own partner counts."""
    images, partners = torch.eye(2, 4), torch.eye(2, 4)
    images, partners = images.requires_grad_(), partners.roll(1, 0).requires_grad_()
    keys = (torch.tensor([3, 3]),)
    loss = sigmoid_share(images, partners, torch.tensor(10.0), torch.tensor(0.0), keys=keys)["loss"]
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert float(images.grad[0, 0]) == 0
    assert float(images.grad[0, 1]) < 0


def test_far_negatives_cost_nothing_and_far_positives_their_distance() -> None:
    """No cancellation where the logits are large."""
    codes = torch.eye(3, 4, requires_grad=True)
    right = sigmoid_share(codes, codes, torch.tensor(200.0), torch.tensor(-100.0), chunk=1)
    assert right["loss"].item() == pytest.approx(0, abs=1e-30)
    wrong = sigmoid_share(codes, -codes, torch.tensor(200.0), torch.tensor(-100.0), chunk=1)
    assert wrong["loss"].item() == pytest.approx(300, rel=1e-6)
    wrong["loss"].backward()
    assert torch.isfinite(codes.grad).all()
