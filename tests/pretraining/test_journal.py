"""What a run writes down: ``metrics.jsonl``, and the same figures for TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from radpair.errors import RunError
from radpair.pretraining import loop, pretrain
from radpair.pretraining.run import read_metrics

EventAccumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
).EventAccumulator
OPTIONS = ("training.epochs=3", "training.checkpoint=3", "training.patience=0")


def points(run: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard reads."""
    read = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return {
        tag: [(one.step, one.value) for one in read.Scalars(tag)] for tag in read.Tags()["scalars"]
    }


def logged(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The lines of the run, by the names that TensorBoard shows."""
    found: dict[str, list[tuple[int, float]]] = {}

    def add(tag: str, step: int, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                add(f"{tag}/{key}", step, inner)
        elif value is not None:
            found.setdefault(tag, []).append((step, pytest.approx(value, rel=1e-6)))

    for line in read_metrics(run / "metrics.jsonl"):
        for key in line.keys() - {"step", "split"}:
            add(f"{line['split']}/{key}", line["step"], line[key])
    return found


def broken_off(monkeypatch: pytest.MonkeyPatch, steps: int, run: Any) -> None:
    """``run()``, interrupted before its step number ``steps``."""
    real, seen = loop.take_step, iter(range(steps))

    def breaking(*given: Any) -> Any:
        if next(seen, None) is None:
            raise KeyboardInterrupt
        return real(*given)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "take_step", breaking)
        with pytest.raises(KeyboardInterrupt):
            run()


@pytest.mark.parametrize("asked", ["from the start", "at the end", "afterwards"])
def test_tensorboard_shows_the_lines_of_the_run_also_when_it_was_broken_off(
    asked: str,
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = "evaluators=[{name: retrieval, every: 1}]"

    def run(tensorboard: bool = True) -> None:
        pretrain(
            "igc-small", disc_set, tmp_path, (*tiny, *OPTIONS, "training.log=1", watched), "cpu",
            tensorboard=tensorboard,
        )  # fmt: skip

    broken_off(monkeypatch, 2, lambda: run(asked == "from the start"))
    broken_off(monkeypatch, 6, lambda: run(asked == "from the start"))
    run(asked != "afterwards")
    run()
    found = points(tmp_path)
    assert [step for step, _ in found["train/loss"]] == list(range(1, 13))
    assert [step for step, _ in found["validate/loss"]] == [4, 8, 12]
    assert {tag.split("/")[1] for tag in found} >= {"accuracy", "rate", "studies_per_s"}
    assert any(tag.startswith("validate/retrieval/") for tag in found)
    assert found == logged(tmp_path)


def test_a_missing_tensorboard_is_one_sentence(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(RunError, match=r"pip install radpair\[tensorboard\]"):
        pretrain("igc-small", disc_set, tmp_path / "run", tiny, "cpu", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_workers_checkpoints_and_the_log_may_change_on_the_way(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*tiny, "training.epochs=2")

    def run(out: Path, *more: str) -> Path:
        return pretrain("igc-small", disc_set, out, (*options, *more), "cpu")

    whole = run(tmp_path / "whole")
    cut = tmp_path / "cut"
    broken_off(monkeypatch, 3, lambda: run(cut, "training.checkpoint=2", "training.log=1"))
    assert (cut / "checkpoints" / "step-00000002.pt").exists()
    again = run(cut, "training.checkpoint=5", "training.workers=1", "training.log=3")
    lines = read_metrics(cut / "metrics.jsonl")
    assert [line["step"] for line in lines if line["split"] == "train"] == [1, 2, 3, 6, 8]
    names = [folder / "model.safetensors" for folder in (whole, again)]
    assert names[0].read_bytes() == names[1].read_bytes()
    with pytest.raises(RunError, match=r"training\.seed: 0 there, 1 now"):
        run(cut, "training.seed=1")
