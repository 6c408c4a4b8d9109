"""An interrupt waits for the end of a step, so that a stopped run loses nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from radpair.processes import ECHO, ENDING, Terminated, place

NOTED = b"radpair: stopping at the end of a step; a second time stops at once\n"


class Asked:
    """Whether a signal has asked this process to stop."""

    def __init__(self) -> None:
        """Nobody has."""
        self.number = 0
        """Of the signal."""
        self.noting = False
        """Whether a first signal is noted only."""
        self._since = 0.0
        self._before: dict[int, Any] = {}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within it the first SIGINT or SIGTERM is noted only; a second one, ``ECHO`` seconds
        later, does what it always does.

        What goes wrong once a stop was asked for is no error but the stop.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        try:
            self._take()
            yield
        except RuntimeError:
            self.obey(self.number)
            raise
        finally:
            self.noting = False
            self._restore()

    def _take(self) -> None:
        found = {number: signal.getsignal(number) for number in ENDING}
        self._before = {
            number: how for number, how in found.items() if how not in (signal.SIG_IGN, None)
        }
        self.noting = True
        for number in self._before:
            signal.signal(number, self._note)

    def _note(self, number: int, _: object) -> None:
        if not self.number:
            self.number, self._since = number, time.monotonic()
            if not place():
                os.write(2, NOTED)
        elif time.monotonic() - self._since > ECHO:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, how in self._before.items():
            signal.signal(number, how)

    def obey(self, number: int) -> None:
        """Does what signal ``number`` would have done at once; where that is 0, nothing.

        Raises ``KeyboardInterrupt`` where it reached another process of the run and this one does
        not hear it.
        """
        if not number:
            return
        self._restore()
        if signal.getsignal(number) == signal.SIG_IGN:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        signal.raise_signal(number)
