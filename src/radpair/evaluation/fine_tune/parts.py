"""The budget divided by patient: what is learned from, and what decides when to stop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.evaluation.budgets import Indices, label_budget
from radpair.evaluation.fine_tune.loop import Part
from radpair.evaluation.fine_tune.settings import FineTuneConfig
from radpair.evaluation.statistics import Floats

FEWEST_PATIENTS = 5
"""A budget of fewer patients is learned from whole, and nothing is held out."""


def divide(
    truth: Floats,
    patients: NDArray[np.str_],
    budget: Indices,
    validation: Indices,
    config: FineTuneConfig,
    seed: int,
    draw: int,
) -> tuple[Part, Part | None]:
    """The part to learn from and the part to choose by, of studies ``[studies, outputs]``.

    ``budget`` are the studies whose labels may be used; ``validation`` the validation split's. The
    held-out part is None where the budget is too small for one, or its labels are not given.
    Raises ``EvaluationError`` where a validation split was asked for and there is none.
    """
    if config.selection == "validate":
        if not len(validation):
            raise EvaluationError(
                "selection=validate needs studies in the split 'validate' and there are none: "
                "use selection=budget"
            )
        share = min(1.0, len(budget) / len(validation))
        people = patients[validation].tolist()
        chosen = validation[label_budget(people, share, seed, draw)][: len(budget)]
        fit, held = budget, chosen
    else:
        aside = held_out(truth[budget], patients[budget], config.held_out, seed, draw)
        fit, held = budget[~aside], budget[aside]
    if not len(held) or np.isnan(truth[held]).all():
        return Part(budget, truth[budget]), None
    return Part(fit, truth[fit]), Part(held, truth[held])


def held_out(
    truth: Floats, patients: NDArray[np.str_], share: float, seed: int, draw: int
) -> NDArray[np.bool_]:
    """Which studies to hold out ``[studies]``, whole patients, about ``share`` of the studies.

    Labels are gone through from the rarest: of the patients who have it, one in 1 / ``share`` is
    held out, so that a finding with a few patients stays with what is learned from. Then others
    follow until the share is met; the last patient with a finding, or without it, is never
    held out.
    """
    names, member = np.unique(patients, return_inverse=True)
    if share <= 0 or len(names) < FEWEST_PATIENTS:
        return np.zeros(len(truth), dtype=bool)
    order = np.random.default_rng([seed, draw, 3]).permutation(len(names))
    has = np.zeros((len(names), 2 * truth.shape[1]), dtype=bool)
    np.logical_or.at(has, member, np.concatenate([truth == 1, truth == 0], axis=1))
    sizes = np.bincount(member, minlength=len(names))
    room, left = max(1, round(share * len(truth))), has.sum(axis=0)
    chosen = np.zeros(len(names), dtype=bool)
    for person in _turns(has[:, : truth.shape[1]], order, round(1 / share)):
        spared = (left[has[person]] > 1).all()
        if spared and not chosen[person] and sizes[person] <= room:
            chosen[person] = True
            room, left = room - int(sizes[person]), left - has[person]
    return chosen[member]


def _turns(has: NDArray[np.bool_], order: Indices, every: int) -> list[int]:
    """Patients in the order in which they are asked to stand aside."""
    dealt = np.zeros(len(order), dtype=bool)
    first: list[int] = []
    for column in np.argsort(has.sum(axis=0), kind="stable"):
        turn = order[has[order, column] & ~dealt[order]]
        dealt[turn] = True
        first += turn[every - 1 :: every].tolist()
    return [*first, *order[~dealt[order]].tolist(), *order[dealt[order]].tolist()]
