"""The command line: it reads the words, calls the library, and shows what comes back."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence

USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one verb. Ends with code 2 and one sentence where the user can mend the cause."""
    _quiet_libraries()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: what it cannot show
    from radpair.processes import Terminated, stop, terminable

    try:
        with terminable():
            _run(arguments)
    except Terminated:
        stop(signal.SIGTERM)
    except KeyboardInterrupt:
        stop()  # workers follow; waiting for them would not be stopping


def _run(arguments: Sequence[str] | None) -> None:
    from cyclopts import CycloptsError

    from radpair.cli.app import app
    from radpair.errors import RadpairError
    from radpair.processes import end_with_starter

    end_with_starter()
    try:
        app(arguments, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        sys.exit(USER_ERROR)
    except RadpairError as problem:
        _fail(str(problem), told=getattr(problem, "told", False))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        if problem.errno is None:
            raise
        where = f"{problem.filename}: " if problem.filename else ""
        _fail(f"{where}{problem.strerror}; mend that and give the same command again")


def _fail(message: str, *, told: bool = False) -> None:
    """Says ``message`` unless another process of the same run has ``told`` it."""
    from radpair.processes import launched, leave, place

    if place():
        message = f"process {place()}: {message}"
    if not told:
        colour = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
        print(f"{colour[0]}radpair:{colour[1]} {message}", file=sys.stderr)
    if launched():
        leave(USER_ERROR)
    sys.exit(USER_ERROR)


def _quiet_libraries() -> None:
    """Libraries speak where something is wrong, not of their habits."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tracker = "ignore::UserWarning:multiprocessing.resource_tracker"
    os.environ.setdefault("PYTHONWARNINGS", tracker)  # it speaks after an interrupt
