from __future__ import annotations

import pytest
import torch
from torch import nn

from radpair.encoders.image import ImageConfig, ImageEncoder
from radpair.evaluation.features import buffer_hash
from radpair.evaluation.fine_tune.classifier import Classifier, parameter_groups, set_phase
from radpair.evaluation.fine_tune.settings import FineTuneConfig, Trial
from squares import small_model


def classifier(outputs: int = 2, *, exclusive: bool = False) -> Classifier:
    torch.manual_seed(0)
    return Classifier(small_model().pair.image, outputs, exclusive=exclusive)


def films(count: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (count, 32, 32), generator=torch.Generator().manual_seed(1))


def test_head_only_moves_nothing_of_the_encoder() -> None:
    """Defect 17."""
    one = classifier()
    before = buffer_hash(one.encoder)
    set_phase(one, head_only=True, statistics="batch")
    one(films()).sum().backward()
    assert buffer_hash(one.encoder) == before
    assert all(parameter.grad is None for parameter in one.encoder.parameters())
    assert all(parameter.grad is not None for parameter in one.head.parameters())
    set_phase(one, head_only=False, statistics="batch")
    one(films()).sum().backward()
    assert buffer_hash(one.encoder) != before  # batch normalisation's statistics
    assert all(parameter.grad is not None for parameter in one.encoder.parameters())


def test_frozen_statistics_stay_while_weights_learn() -> None:
    one = classifier()
    set_phase(one, head_only=False, statistics="frozen")
    before = buffer_hash(one.encoder)
    one(films()).sum().backward()
    assert buffer_hash(one.encoder) == before
    assert all(parameter.requires_grad for parameter in one.encoder.parameters())


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_every_parameter_has_one_rate(decay: float) -> None:
    one = classifier()
    config = FineTuneConfig(layer_decay=decay)
    groups = parameter_groups(one, config, Trial(1e-4, 1e-6))
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(listed) == sorted(id(parameter) for parameter in one.parameters())
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert {rate[id(p)] for p in one.head.parameters()} == {1e-3}
    convolutions = [part for part in one.encoder.modules() if isinstance(part, nn.Conv2d)]
    first, last = rate[id(convolutions[0].weight)], rate[id(convolutions[-1].weight)]
    assert last == pytest.approx(1e-4)
    assert first < last if decay < 1 else first == last


def test_layer_decay_of_a_vision_transformer() -> None:
    encoder = ImageEncoder(ImageConfig(name="test_vit", size=160))
    one = Classifier(encoder, 1, exclusive=False)
    groups = parameter_groups(one, FineTuneConfig(layer_decay=0.5), Trial(1e-4, 0.0))
    rates = [group["lr"] for group in groups[1:]]
    assert rates == sorted(rates)
    assert len(set(rates)) > 2


def test_labels_with_one_class_score_a_constant() -> None:
    one = classifier(4)
    one.hold((None, "no positive", "no negative", "no label given"))
    one.eval()
    found = one.probabilities(films())
    assert torch.equal(found[:, 1:], torch.tensor([0.0, 1.0, 0.5]).expand(6, 3))
    assert len(found[:, 0].unique()) == 6


def test_classes_that_were_never_seen_are_never_chosen() -> None:
    one = classifier(3, exclusive=True)
    one.hold((None, "no positive", None))
    one.eval()
    found = one.probabilities(films())
    assert torch.equal(found[:, 1], torch.zeros(6))
    assert torch.allclose(found.sum(dim=1), torch.ones(6))
    one.hold(("no label given",) * 3)
    assert torch.allclose(one.probabilities(films()), torch.full((6, 3), 1 / 3))
    assert not one.can_learn
