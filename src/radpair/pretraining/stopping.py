"""An interrupt waits for the end of the present step, so that a stopped run loses nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Asked:
    """Whether a signal has asked this process to stop."""

    number = 0
    """Of the signal."""

    def obey(self) -> None:
        """Does what the signal would have done at once."""
        if self.number:
            signal.raise_signal(self.number)


@contextmanager
def noted() -> Iterator[Asked]:
    """Within it the first SIGINT or SIGTERM is noted only; a second one does what it always does.

    What goes wrong once a stop was asked for, such as workers that heard the signal too, is no
    error but the stop.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    taken = {
        number: found for number, found in before.items() if found not in (signal.SIG_IGN, None)
    }

    def restore() -> None:
        for number, found in taken.items():
            signal.signal(number, found)

    def note(number: int, _: object) -> None:
        asked.number = number
        os.write(2, b"radpair: stopping after this step; a second time stops at once\n")
        restore()

    for number in taken:
        signal.signal(number, note)
    try:
        yield asked
    except RuntimeError:
        asked.obey()
        raise
    finally:
        restore()
