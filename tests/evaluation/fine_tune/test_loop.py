from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from radpair.errors import EvaluationError
from radpair.evaluation.features import buffer_hash
from radpair.evaluation.fine_tune import loop as room
from radpair.evaluation.fine_tune.classifier import Classifier
from radpair.evaluation.fine_tune.films import Fitted
from radpair.evaluation.fine_tune.loop import Course, Part, study_probabilities, train
from radpair.evaluation.fine_tune.settings import FineTuneConfig, Trial
from radpair.evaluation.fine_tune.tasks import held_out_loss, one_class, task_of
from radpair.evaluation.statistics import auroc
from radpair.images.augment import fit
from squares import Squares, small_model

TASK = task_of("auto", Squares.label_names)
QUICK = FineTuneConfig(batch=16, warmup=20, passes=0, least_steps=40, check=10)
FIT, HELD, TESTED = np.arange(80), np.arange(80, 120), np.arange(120, 240)


def small_classifier(outputs: int = 2) -> Classifier:
    torch.manual_seed(0)
    return Classifier(small_model().pair.image, outputs, exclusive=False)


def course_of(
    config: FineTuneConfig,
    rate: float = 3e-3,
    truth: np.ndarray | None = None,
    held: bool = True,
    seed: int = 0,
) -> tuple[Course, Classifier, Squares]:
    squares = Squares(240)
    labels = squares.labels if truth is None else truth
    one = small_classifier()
    one.hold(one_class(labels[FIT]))
    aside = Part(HELD, labels[HELD]) if held else None
    found = train(
        *(one, TASK, squares, Part(FIT, labels[FIT]), aside, config, Trial(rate, 1e-6), seed)
    )
    return found, one, squares


def test_the_head_alone_leaves_the_encoder_as_it_was() -> None:
    """Defect 17."""
    before = buffer_hash(small_model().pair.image)
    course, one, _ = course_of(replace(QUICK, least_steps=0))
    assert course.steps == 20
    assert buffer_hash(one.encoder) == before
    fresh = small_classifier()
    assert buffer_hash(one.head) != buffer_hash(fresh.head)


def test_an_encoder_that_moves_while_frozen_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defect 17: batch normalisation left in training mode."""

    def careless(classifier: Classifier, **phase: object) -> None:
        classifier.train()

    monkeypatch.setattr(room, "set_phase", careless)
    with pytest.raises(EvaluationError, match="it is not frozen"):
        course_of(QUICK)


def test_fine_tuning_learns_what_the_head_alone_cannot() -> None:
    scores = {}
    longer = replace(QUICK, least_steps=100, check=25)
    for name, config in (("head", replace(QUICK, least_steps=0)), ("all", longer)):
        _, one, squares = course_of(config)
        found = study_probabilities(one, Fitted(squares, TESTED, 32))
        scores[name] = auroc(found, squares.labels[TESTED]).mean()
    assert scores["all"] > 0.85
    assert scores["all"] > scores["head"] + 0.1


def test_it_stops_early_and_returns_the_best_weights() -> None:
    config = replace(QUICK, least_steps=400, patience=2)
    course, one, squares = course_of(config, rate=0.05)
    assert course.best_step < course.steps < 420
    assert course.best_loss == min(value for _, value in course.looks)
    assert course.looks[-1][1] > course.best_loss
    scores = study_probabilities(one, Fitted(squares, HELD, 32))
    assert held_out_loss(False, scores, squares.labels[HELD]) == course.best_loss
    tuned = [value for step, value in course.looks if step > config.warmup]
    assert len(tuned) - 1 - int(np.argmin(tuned)) == config.patience


def test_an_encoder_that_is_still_learning_is_not_given_up() -> None:
    """The loss rises where the encoder begins; random weights need many looks to come back."""
    config, limits = replace(QUICK, patience=2), room._Limits(20, 10, 400)
    course = Course(Trial(1e-4, 0.0), looks=[(20, 0.3)], best_step=20)
    for step, value in ((30, 0.6), (40, 0.55), (50, 0.5), (60, 0.45), (70, 0.4)):
        course.looks.append((step, value))
        assert not room._stops(course, limits, config)
    course.looks += [(80, 0.41), (90, 0.42)]
    assert room._stops(course, limits, config)


def test_without_a_held_out_part_all_steps_are_taken() -> None:
    course, _, _ = course_of(QUICK, held=False)
    assert (course.steps, course.best_step, course.looks) == (60, 60, [])


def test_rates_are_halved_while_the_loss_does_not_fall() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.Adam([parameter], lr=0.8)
    config = replace(QUICK, rate_patience=2)
    course = Course(Trial(1e-4, 0.0), best_step=30)
    limits = room._Limits(20, 10, 400)
    rates = []
    for step in (30, 40, 50, 60, 70):
        course.looks.append((step, 1.0))
        room._lower_rates(optimiser, course, limits, config)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_the_same_seed_gives_the_same_weights() -> None:
    state = torch.random.get_rng_state()
    first, one, _ = course_of(QUICK)
    assert torch.equal(torch.random.get_rng_state(), state)
    again, two, _ = course_of(QUICK)
    other, three, _ = course_of(QUICK, seed=1)
    assert first.looks == again.looks != other.looks
    assert buffer_hash(one) == buffer_hash(two) != buffer_hash(three)


def test_labels_that_are_not_given_teach_nothing() -> None:
    """What stands under a mask has no part in the weights."""
    truth = Squares(240).labels
    truth[::3] = np.nan
    _, one, _ = course_of(QUICK, truth=truth)
    known = ~np.isnan(truth[FIT]).all(axis=1)
    squares = Squares(240)
    two = small_classifier()
    two.hold(one_class(truth[FIT]))
    part, held = Part(FIT[known], truth[FIT][known]), Part(HELD, truth[HELD])
    train(two, TASK, squares, part, held, QUICK, Trial(3e-3, 1e-6), 0)
    assert buffer_hash(one) == buffer_hash(two)


def test_a_loss_that_is_not_finite_stops_with_one_sentence() -> None:
    one, squares = small_classifier(), Squares(240)
    torch.nn.init.constant_(one.head[2].weight, float("inf"))
    part = Part(FIT, squares.labels[FIT])
    message = r"loss of step 1 is not finite .* lower it"
    with pytest.raises(EvaluationError, match=message) as told:
        train(one, TASK, squares, part, None, QUICK, Trial(1e-3, 0.0), 0)
    assert "\n" not in str(told.value)


def test_a_batch_of_one_study_learns() -> None:
    squares = Squares(4)
    one = small_classifier()
    part = Part(np.array([1]), np.array([[1.0, 0.0]]))
    course = train(one, TASK, squares, part, None, QUICK, Trial(1e-3, 0.0), 0)
    assert course.steps == 60


def test_a_study_is_the_mean_of_its_images() -> None:
    """MURA's form, against one image at a time."""
    squares = Squares(12)
    one = small_classifier(outputs=1).train()
    studies = np.array([0, 1, 3, 7])
    found = study_probabilities(one, Fitted(squares, studies, 32))
    assert one.training
    one.eval()
    for row, study in enumerate(studies):
        images = range(squares.image_count[study])
        films = [fit(squares.pixels(int(squares.first_image[study]) + view), 32) for view in images]
        with torch.no_grad():
            each = [torch.sigmoid(one(torch.from_numpy(film[None]))).item() for film in films]
        assert found[row, 0] == pytest.approx(np.mean(each), abs=1e-6)
