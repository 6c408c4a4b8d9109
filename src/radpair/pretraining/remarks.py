"""What a run says of itself: before its first step, where it goes on, and after its last one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from radpair.models.folder import CONFIG
from radpair.pretraining.pairs import Order
from radpair.pretraining.recipe import TrainingConfig
from radpair.pretraining.run import METRICS, MODEL, read_metrics


def remark(name: str, words: str) -> None:
    """One line about the run of recipe ``name`` on standard error."""
    print(f"pretrain {name}: {words}", file=sys.stderr, flush=True)


def beforehand(training: TrainingConfig, order: Order, total: int) -> Iterator[str]:
    """Settings that do not do what they say in a run of ``total`` steps on ``order``."""
    if training.batch > order.studies:
        yield (
            f"training.batch is {training.batch:,}, and {order.studies:,} studies are for training:"
            " each batch is all of them"
        )
    if training.schedule != "plateau" and training.warmup >= total:
        yield (
            f"training.warmup is {training.warmup:,} steps, and the run has {total:,}: all of it "
            "is warm-up; lower training.warmup, or train longer"
        )


def goes_on(step: int, total: int) -> Iterator[str]:
    """Where a run of ``total`` steps that was stopped begins again."""
    yield f"goes on after step {step:,} of {total:,}"


def came_to(out: Path, took: str = "") -> str:
    """The steps, the studies and the validation loss of the finished run in ``out``."""
    origin = json.loads((out / MODEL / CONFIG).read_text())["origin"]
    words = f"{origin['steps']:,} steps with {origin['studies']:,} studies{took}"
    lines = read_metrics(out / METRICS) if (out / METRICS).is_file() else []
    losses = [line["loss"] for line in lines if line["split"] == "validate"]
    if losses:
        words += f"; validation loss {losses[-1]:.3f} at the end, {min(losses):.3f} at its best"
    return words
