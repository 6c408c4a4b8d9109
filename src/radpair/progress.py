"""Progress of long steps: a live bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_SECONDS = 10.0


class Track(Protocol):
    """What a long step reports to."""

    def __call__(self, done: int, note: str = "") -> None:
        """``done`` of the total are finished; ``note`` is shown beside it."""
        ...


@contextmanager
def track(title: str, total: int) -> Iterator[Track]:
    """Shows the progress of ``total`` units on standard error."""
    if sys.stderr.isatty():
        with _bar(title, total) as update:
            yield update
    else:
        yield _lines(title, total)


@contextmanager
def _bar(title: str, total: int) -> Iterator[Track]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(done: int, note: str = "") -> None:
            progress.update(task, completed=done, **({"note": note} if note else {}))

        yield update


def _lines(title: str, total: int) -> Track:
    begun = time.monotonic()
    shown = begun

    def update(done: int, note: str = "") -> None:
        nonlocal shown
        now = time.monotonic()
        if done < total and now - shown < LINE_SECONDS:
            return
        shown = now
        tail = f"  {note}" if note else ""
        print(f"{title}: {done}/{total}  {now - begun:.0f} s{tail}", file=sys.stderr, flush=True)

    return update
