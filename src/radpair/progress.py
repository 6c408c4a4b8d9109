"""Progress of long steps: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

LINE_SECONDS = 10.0
SPEED_SECONDS = 300.0
"""Over which the bar takes the speed for the time that is left."""

_always_lines = False


def lines_only() -> None:
    """From now on lines, also on a terminal: several processes cannot share one bar."""
    global _always_lines
    _always_lines = True


class Track(Protocol):
    """What a long step reports to."""

    def __call__(self, done: int, note: str = "") -> None:
        """``done`` of the total are finished; ``note`` is shown beside it."""
        ...


@contextmanager
def track(title: str, total: int) -> Iterator[Track]:
    """Shows the progress of ``total`` units on standard error."""
    if sys.stderr.isatty() and not _always_lines:
        with _bar(title, total) as update:
            yield update
    else:
        yield _lines(title, total)


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Like ``track`` where the total comes with each report, or is not known yet (None)."""
    with ExitStack() as stack:
        shown: list[Track] = []

        def update(done: int, total: int | None) -> None:
            """Opens the bar with the first number."""
            if not shown:
                shown.append(stack.enter_context(track(title, total or 0)))
            shown[0](done)

        yield update


@contextmanager
def _bar(title: str, total: int) -> Iterator[Track]:
    from rich.console import Console, RenderableType
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class TwoLines(Progress):
        """What is said of the work stands below the bar, which keeps its room."""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            for task in self.tasks:
                if task.fields["note"]:
                    note = task.fields["note"]
                    yield Text(f"  {note}", style="dim", no_wrap=True, overflow="ellipsis")

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    console = Console(stderr=True)
    with TwoLines(*columns, console=console, speed_estimate_period=SPEED_SECONDS) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(done: int, note: str = "") -> None:
            """Moves the bar."""
            fields: dict[str, Any] = {"note": note} if note else {}
            progress.update(task, completed=done, **fields)

        yield update


def _lines(title: str, total: int) -> Track:
    begun = time.monotonic()
    shown = begun
    since: tuple[int, float] | None = None

    def update(done: int, note: str = "") -> None:
        """Prints a line, when one is due."""
        nonlocal shown, since
        now = time.monotonic()
        finished = total and done >= total
        since = since or (done, now)
        if not finished and now - shown < LINE_SECONDS:
            return
        shown = now
        of = f"/{total}" if total else ""
        left = "" if finished else _left(total - done, done - since[0], now - since[1])
        tail = f"  {note}" if note else ""
        print(f"{title}: {done}{of}  {now - begun:.0f} s{left}{tail}", file=sys.stderr, flush=True)

    return update


def _left(units: int, done: int, seconds: float) -> str:
    """The time for ``units`` at the rate since the first report: what an earlier process did
    before that one says nothing about this one's speed. Empty where no rate is known."""
    if units <= 0 or done <= 0:
        return ""
    left = round(seconds / done * units)
    if left < 60:
        return f", {left} s left"
    if left < 3600:
        return f", {round(left / 60)} min left"
    return f", {left // 3600} h {left % 3600 // 60} min left"
