"""A run that is asked to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from radpair.pretraining import loop, pretrain
from radpair.pretraining.checkpoint import newest_checkpoint
from radpair.pretraining.stopping import NOTED, Asked
from runs import gone_on


class Ended(BaseException):
    """What SIGTERM comes to here."""


@pytest.fixture(autouse=True)
def term() -> Iterator[None]:
    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Ended)]
)
def test_nothing_is_lost_by_the_first_signal(
    number: signal.Signals,
    raised: type[BaseException],
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It waits for the end of the step, and so does its echo; a second one does not."""
    options = (*tiny, "training.epochs=1", "training.checkpoint=100")
    whole = pretrain("igc-small", disc_set, tmp_path / "whole", options, "cpu")
    run, real, signals = tmp_path / "run", loop.take_step, [2, 2]

    def struck(trainer: Any, *given: Any) -> Any:
        if trainer.step == 2 and signals:
            for _ in range(signals.pop()):
                signal.raise_signal(number)
        return real(trainer, *given)

    monkeypatch.setattr(loop, "take_step", struck)
    with monkeypatch.context() as at_once:
        at_once.setattr("radpair.pretraining.stopping.ECHO", 0)
        with pytest.raises(raised):
            pretrain("igc-small", disc_set, run, options, "cpu")
    assert newest_checkpoint(run / "checkpoints") is None
    with pytest.raises(raised):
        pretrain("igc-small", disc_set, run, options, "cpu")
    state = newest_checkpoint(run / "checkpoints")
    assert state is not None
    assert state["step"] == 3
    assert capfd.readouterr().err.count(NOTED.decode()) == 2
    again = pretrain("igc-small", disc_set, run, options, "cpu")
    assert gone_on(capfd.readouterr().err) == [3]
    expected, found = (load_file(model / "model.safetensors") for model in (whole, again))
    assert all(expected[key].equal(found[key]) for key in expected)


def test_what_breaks_once_a_stop_was_asked_for_is_the_stop() -> None:
    """Somebody ends a worker too, and torch raises that it is gone."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def breaks(signalled: bool) -> None:
        with Asked().noted():
            if signalled:
                signal.raise_signal(signal.SIGTERM)
            raise RuntimeError("worker exited")

    with pytest.raises(Ended):
        breaks(True)
    with pytest.raises(RuntimeError, match="worker exited"):
        breaks(False)
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_signal_after_the_last_step_stops_what_comes_then(
    disc_set: Path,
    tiny: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real, options = loop._steps, (*tiny, "training.epochs=1")

    def struck(*given: Any) -> None:
        real(*given)
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(loop, "_steps", struck)
        with pytest.raises(Ended):
            pretrain("igc-small", disc_set, tmp_path, options, "cpu")
    assert not (tmp_path / "model").exists()
    pretrain("igc-small", disc_set, tmp_path, options, "cpu")
    assert gone_on(capsys.readouterr().err) == [4]
    assert (tmp_path / "model").exists()
