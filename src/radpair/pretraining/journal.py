"""The figures of a run as they come: lines of ``metrics.jsonl``, and TensorBoard's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from radpair.errors import RunError
from radpair.pretraining import run as runs

BOARD = "tensorboard"


class Board(Protocol):
    """Where TensorBoard's points go."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        """One point."""


class Journal:
    """Writes down what a run's first process knows."""

    def __init__(self, metrics: Path, board: Board | None) -> None:
        self._metrics, self._board = metrics, board

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """``values`` of ``split`` after ``step`` steps."""
        line = {"step": step, **values}
        runs.add_metrics(self._metrics, line)
        if self._board is not None:
            _show(self._board, line)


@contextmanager
def open_journal(folder: Path, step: int, *, tensorboard: bool) -> Iterator[Journal]:
    """The journal of the run in ``folder``, which goes on after ``step`` steps.

    What was written of later steps is left out: they are about to be done again. Raises
    ``RunError`` where TensorBoard is asked for and not installed.
    """
    metrics = folder / runs.METRICS
    runs.keep_metrics(metrics, step)
    if not tensorboard:
        yield Journal(metrics, None)
        return
    begun = any((folder / BOARD).glob("events.*"))
    with _writer()(folder / BOARD, purge_step=step + 1, flush_secs=10) as board:
        if not begun and metrics.is_file():
            for line in runs.read_metrics(metrics):
                _show(board, line)
        yield Journal(metrics, board)


def show_finished(folder: Path) -> None:
    """Writes to TensorBoard what a finished run wrote to its metrics, unless it is there."""
    last = max(line["step"] for line in runs.read_metrics(folder / runs.METRICS))
    with open_journal(folder, last, tensorboard=True):
        pass


def check_tensorboard() -> None:
    """Raises ``RunError`` where TensorBoard is not installed."""
    _writer()


def _writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as problem:
        raise RunError(
            "--tensorboard needs TensorBoard; install it with: pip install radpair[tensorboard]"
        ) from problem
    return SummaryWriter


def _show(board: Board, line: Mapping[str, Any]) -> None:
    figures = {key: value for key, value in line.items() if key not in ("step", "split")}
    for tag, value in _scalars(line["split"], figures):
        board.add_scalar(tag, value, line["step"])


def _scalars(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Every number below ``name``, under the names on the way to it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _scalars(f"{name}/{key}", inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)
