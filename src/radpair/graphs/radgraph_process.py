"""The process that RadGraph's own model runs in, and the pipes to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import IO, Any

from radpair.errors import GraphError


class StoppedError(Exception):
    """RadGraph's process ended, was too slow (``late``), or said what it should not."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


class Worker:
    """The other process and the pipes to it."""

    version = "unknown"

    def __init__(
        self, command: list[str], folder: Path, threads: int | None, patience: float
    ) -> None:
        self.patience, self.stopped = patience, False
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={**os.environ, **_environment(threads)},
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise GraphError(
                f"Cannot run '{command[0]}': {error.strerror}; give the python of the environment "
                f"that holds the radgraph package."
            ) from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.questions, self.answers = self.process.stdin, self.process.stdout
        self.said: deque[str] = deque(maxlen=20)
        self.listener = Thread(target=_listen, args=(self.process.stderr, self.said), daemon=True)
        self.listener.start()

    def ask(self, text: str) -> dict[str, Any]:
        """RadGraph's JSON value for a text, or ``{"error": reason}``; or ``StoppedError``."""
        with suppress(BrokenPipeError):  # the answer says why
            self.questions.write(json.dumps(text) + "\n")
            self.questions.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line, waited for no longer than ``patience``."""
        late = Event()
        timer = Timer(self.patience, self._end_late, (late,))
        timer.start()
        line = self.answers.readline()
        timer.cancel()
        if late.is_set():
            raise StoppedError(f"no answer within {self.patience:g} s", late=True)
        if not line:
            raise StoppedError(self._last_words())
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise StoppedError(f"it said '{line.strip()[:60]}'") from error
        return value if isinstance(value, dict) else {"error": "RadGraph gave no graph"}

    def close(self) -> None:
        """Ends the process and closes the pipes; may be called twice."""
        self.stopped = True
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):
            self.questions.close()
        self.answers.close()

    def _end_late(self, late: Event) -> None:
        late.set()
        self.process.kill()

    def _last_words(self) -> str:
        code = self.process.wait()
        self.listener.join(timeout=5)
        how = f"exit code {code}"
        if code < 0:
            how = f"killed by {signal.Signals(-code).name}"
            how += ", perhaps for want of memory" if -code == signal.SIGKILL else ""
        last = " ".join(self.said[-1].split())[:300] if self.said else ""
        return f"{how}: {last}" if last else how


def _environment(threads: int | None) -> dict[str, str]:
    """No network, no code from pickles, no more cores than given."""
    fixed = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return fixed | ({"OMP_NUM_THREADS": str(threads)} if threads else {})


def _listen(stream: IO[str], said: deque[str]) -> None:
    said.extend(line for line in stream if line.strip())
    stream.close()
