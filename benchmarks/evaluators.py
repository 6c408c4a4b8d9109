"""What evaluators cost a run: processor seconds in each, beside those of an epoch of training.

    python benchmarks/evaluators.py

The small recipes on 1,000 synthetic studies (80 % train, 10 % validate), one core. The first run
only warms up. Prints how often an evaluator may run for less than 5 % of a run's time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from radpair.phantom import Phantom
from radpair.pretraining import evaluators, pretrain
from radpair.studyset import give_graphs, write

STUDIES, SIZE, EPOCHS = 1000, 144, 4
RECIPES = ("igc-small", "convirt-small")
SHARE = 0.05


SPENT: list[float] = []
"""Processor seconds of each evaluation."""


def timed(real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        begun = time.process_time()
        found = real(*given)
        SPENT.append(time.process_time() - begun)
        return found

    return call


def cost(recipe: str, data: Path, out: Path, evaluator: str) -> tuple[float, float]:
    """Seconds of one evaluation, and of one epoch without it."""
    SPENT.clear()
    asked = f"evaluators=[{{name: {evaluator}}}]"
    begun = time.process_time()
    pretrain(recipe, data, out, (f"training.epochs={EPOCHS}", asked), "cpu")
    whole = time.process_time() - begun
    return sum(SPENT) / EPOCHS, (whole - sum(SPENT)) / EPOCHS


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "set"
        write(Phantom(studies=STUDIES, seed=0, size=SIZE), data, SIZE)
        give_graphs(data)
        evaluators.Watch.figures = timed(evaluators.Watch.figures)
        cost(RECIPES[0], data, Path(folder) / "warm", "knn")
        for recipe in RECIPES:
            for evaluator in ("knn", "retrieval"):
                out = Path(folder) / f"{recipe}-{evaluator}"
                once, epoch = cost(recipe, data, out, evaluator)
                least = max(1, -int(-once / epoch // SHARE))
                print(
                    f"{recipe:<14} {evaluator:<10} {once:6.2f} s, an epoch {epoch:6.2f} s: "
                    f"{once / epoch:.1%} of it; under {SHARE:.0%} with every: {least}"
                )


if __name__ == "__main__":
    main()
