from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss

from radpair.errors import EvaluationError
from radpair.evaluation.fine_tune.tasks import (
    held_out_loss,
    loss,
    one_class,
    targets,
    task_of,
)

NAN = float("nan")


def gradient(exclusive: bool, truth: list[list[float]]) -> torch.Tensor:
    torch.manual_seed(0)
    logits = torch.randn(len(truth), len(truth[0]), requires_grad=True)
    loss(exclusive, logits, torch.tensor(truth)).backward()
    assert logits.grad is not None
    return logits.grad


def test_what_is_not_given_has_no_gradient() -> None:
    found = gradient(False, [[1.0, NAN, 0.0], [NAN, NAN, 1.0]])
    given = torch.tensor([[True, False, True], [False, False, True]])
    assert torch.equal(found != 0, given)
    found = gradient(True, [[NAN, NAN, NAN], [0.0, 1.0, 0.0]])
    assert torch.equal(found[0], torch.zeros(3))
    assert (found[1] != 0).all()


def test_nothing_given_is_no_loss_and_no_gradient() -> None:
    for exclusive in (False, True):
        assert torch.equal(gradient(exclusive, [[NAN, NAN]]), torch.zeros(1, 2))


def test_a_study_without_a_finding_teaches() -> None:
    """Defect 13."""
    truth = torch.zeros(1, 3)
    assert (gradient(False, truth.tolist()) > 0).all()
    logits = torch.randn(1, 3, requires_grad=True)
    (-(truth * F.log_softmax(logits, dim=1)).sum()).backward()
    assert torch.equal(logits.grad, torch.zeros(1, 3))  # what softmax over labels would give


def test_losses_are_the_standard_ones() -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(20, 4)))
    classes = torch.from_numpy(rng.integers(0, 4, 20))
    expected = F.cross_entropy(logits, classes)
    assert torch.isclose(loss(True, logits, F.one_hot(classes, 4).double()), expected)
    truth = torch.from_numpy((rng.random((20, 4)) < 0.3).astype(float))
    each = F.binary_cross_entropy_with_logits(logits, truth)
    assert torch.isclose(loss(False, logits, truth), each)


def test_held_out_loss_against_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    scores, truth = rng.uniform(0.05, 0.95, (30, 2)), (rng.random((30, 2)) < 0.4).astype(float)
    truth[:5, 1] = NAN
    given = ~np.isnan(truth)
    expected = log_loss(truth[given], scores[given])
    assert held_out_loss(False, scores, truth) == pytest.approx(expected)
    shares = rng.dirichlet(np.ones(3), 30)
    classes = rng.integers(0, 3, 30)
    expected = log_loss(classes, shares, labels=[0, 1, 2])
    assert held_out_loss(True, shares, np.eye(3)[classes]) == pytest.approx(expected)
    assert np.isnan(held_out_loss(False, scores, np.full_like(truth, NAN)))


def test_uncertain_and_missing_labels_are_not_given() -> None:
    task = task_of("auto", ("A", "B"))
    assert task.kind == "multi-label"
    labels = np.array([[1, -1], [NAN, 0]])
    assert np.array_equal(
        targets(task, labels, ["s0", "s1"], "ignore"), [[1, NAN], [NAN, 0]], equal_nan=True
    )
    assert targets(task, labels, ["s0", "s1"], "ones")[0, 1] == 1


def test_classes_exclude_each_other() -> None:
    task = task_of("multi-class", ("A", "B", "C"))
    found = targets(task, np.array([[1, 0, NAN], [0, NAN, -1.0]]), ["s0", "s1"], "ignore")
    assert np.array_equal(found, [[1, 0, 0], [NAN] * 3], equal_nan=True)
    for row in ([1, 1, 0], [0, 0, 0]):
        with pytest.raises(EvaluationError, match=r"study 's7' is of [02] of the classes"):
            targets(task, np.array([row], dtype=float), ["s7"], "ignore")


@pytest.mark.parametrize(
    ("kind", "names", "words"),
    [
        ("binary", ("A", "B"), "takes one label, not 2"),
        ("mura", ("A", "B"), "takes one label, not 2"),
        ("multi-class", ("A",), "two labels or more"),
        ("multilabel", ("A",), "did you mean 'multi-label'"),
    ],
)
def test_tasks_that_do_not_fit_the_labels(kind: str, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(EvaluationError, match=words):
        task_of(kind, names)


def test_labels_with_one_class_are_named() -> None:
    truth = np.array([[0, 1, NAN, 0], [0, 1, NAN, 1]])
    assert one_class(truth) == ("no positive", "no negative", "no label given", None)
