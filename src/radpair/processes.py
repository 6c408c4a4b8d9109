"""Worker processes and those of one run: how many, and that none outlives the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any, NoReturn, TypeVar

from radpair.errors import WorkerError

Job = TypeVar("Job")
Result = TypeVar("Result")


MOST = 1024
"""Processes; more are a slip of the hand, and would take the machine's memory."""

NUMBERS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Where launchers say which of a run's processes one is."""
STARTER = "RADPAIR_STARTER"
"""The process that started this one for the same run."""
ENDING = (signal.SIGINT, signal.SIGTERM)
"""What asks a process to end."""
ECHO = 2
"""Seconds in which a signal that comes again is the same one: a launcher sends it on to those who
have heard it themselves."""
GRACE = 2
"""Seconds for an interrupted process to end by itself."""
SAID = (2, 128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Exit codes of a process that has said why: a user's mistake, a signal."""


def check_count(option: str, given: int | None) -> None:
    """Raises ``WorkerError`` naming ``option`` where no such number of processes can work."""
    if given is not None and not 1 <= given <= MOST:
        raise WorkerError(f"{option} {given}: give 1 or more, up to {MOST:,}, or leave it out")


def cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def deaf(*numbers: int) -> Iterator[None]:
    """What is started inside does not hear the signals, not even while it starts."""
    with ExitStack() as stack:
        for number in numbers:
            stack.enter_context(_handling(number, signal.SIG_IGN))
        yield


class Terminated(KeyboardInterrupt):
    """An interrupt by SIGTERM, as launchers and schedulers send it at the end of their time."""


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM raises ``Terminated``, unless it is handled or ignored already.

    While a module is imported, that and an interrupt end this process: nothing has begun then, and
    modules catch or crash at what is raised in them.
    """

    def end(number: int, frame: FrameType | None) -> None:
        if _imports(frame):
            stop(number)
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    with ExitStack() as stack:
        for number, how in usual.items():
            if signal.getsignal(number) is how:
                stack.enter_context(_handling(number, end))
        yield


def _imports(frame: FrameType | None) -> bool:
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


@contextmanager
def _handling(number: int, handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def follow_parent() -> None:
    """Called in a new worker: an interrupt is left to the parent, and its death ends the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def launched() -> bool:
    """Whether several processes were started for this run, and this is one of them."""
    return any(key in os.environ for key in NUMBERS)


def place() -> int:
    """This process's number among those that were started for one run; 0 where none were."""
    return next((int(os.environ[key]) for key in NUMBERS if key in os.environ), 0)


def leave(code: int) -> NoReturn:
    """Ends this process as it is: at its usual end, torch waits for what it owes the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def stop(number: int = signal.SIGINT) -> NoReturn:
    """Ends this process as signal ``number`` asks; the first of a run says that it goes on."""
    if not place():
        _say("stopped; the same command again continues")
    leave(128 + number)


def _say(message: str) -> None:
    """Says ``message``; a bar that is cut off had hidden the terminal's cursor."""
    shown = "\033[?25h" if sys.stderr.isatty() else ""
    print(f"{shown}radpair: {message}", file=sys.stderr, flush=True)


@contextmanager
def interruptible(noting: Callable[[], bool] = bool) -> Iterator[None]:
    """An interrupt, or SIGTERM where somebody handles it, ends this process also while it waits.

    Python acts on a signal between two of its instructions, and one of them may be half an hour's
    wait for another process of the run. Where ``noting()``, it is the second signal that does,
    ``ECHO`` seconds after the first or later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = socket.socketpair()
    told.setblocking(False)
    acted = threading.Event()

    def watch() -> None:
        noted: float | None = None
        with heard:
            while numbers := heard.recv(64):
                asked = [number for number in numbers if number in ENDING]
                if not asked:
                    continue
                now = time.monotonic()
                if noted is None and noting():
                    noted = now
                elif noted is None or now - noted > ECHO:
                    break
            if numbers and not acted.wait(GRACE):
                stop(min(asked))

    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        acted.set()
        told.close()


def start_others(count: int) -> None:
    """Starts this command ``count`` times more, with LOCAL_RANK from 1 on; all end together.

    They do not hear an interrupt: this process does, and they end with it.
    """
    os.environ["LOCAL_RANK"] = "0"
    command = [sys.executable, *sys.orig_argv[1:]]
    own = {**os.environ, STARTER: str(os.getpid())}
    children: list[subprocess.Popen[bytes]] = []
    try:
        with deaf(*ENDING):
            for number in range(1, count + 1):
                children.append(subprocess.Popen(command, env={**own, "LOCAL_RANK": str(number)}))
    except OSError as problem:
        for child in children:
            child.kill()
        raise WorkerError(
            f"process {len(children) + 1} of the run cannot start ({problem.strerror}); free "
            "memory or start fewer"
        ) from problem
    threading.Thread(target=_end_with_child, args=(children,), daemon=True).start()


def _end_with_child(children: list[subprocess.Popen[bytes]]) -> None:
    """Ends this process and ``children`` once one of them has failed, whatever all wait for."""
    while not (failed := [child for child in children if child.poll()]):
        time.sleep(0.1)
    time.sleep(1)  # this process may have the better word
    code = failed[0].returncode
    if code not in SAID:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        _say(
            f"process {1 + children.index(failed[0])} of the run {how}; mend that "
            "(after signal 9: more memory) and give the same command again, it continues"
        )
    for child in children:
        child.kill()
    leave(code if code in SAID else 1)


def end_with_starter() -> None:
    """Ends this process, where ``start_others`` began it, once its starter is gone."""
    starter = os.environ.pop(STARTER, "")
    if not starter:
        return

    def watch() -> None:
        while os.getppid() == int(starter):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever; it ends at once instead."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def in_order(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    processes: int,
    start: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> Iterator[Result]:
    """``work(job)`` of every job, in the order of ``jobs``, done by spawned worker processes.

    ``work`` and ``start`` (called once in each worker with ``arguments``) are functions of a
    module. Jobs are taken as they are needed, two a process ahead at most. What ``work`` raises
    is raised here. Raises ``WorkerError`` where a worker cannot start or ends before its work.
    """
    feed = iter(jobs)
    waiting: deque[_Worker] = deque()
    workers: list[_Worker] = []
    try:
        for _, job in zip(range(processes), feed, strict=False):
            workers.append(_Worker(work, start, arguments))
            workers[-1].give(job)
            waiting.append(workers[-1])
        while waiting:
            worker = waiting.popleft()
            result = worker.take()
            for job in feed:
                worker.give(job)
                waiting.append(worker)
                break
            yield result
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """One process that does one job at a time; its end of the pipe closes when it dies."""

    def __init__(
        self,
        work: Callable[..., Any],
        start: Callable[..., None] | None,
        arguments: tuple[Any, ...],
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_serve, args=(theirs, work, start, arguments), daemon=True
        )
        try:
            with deaf(signal.SIGINT):
                self._process.start()
        except (OSError, RuntimeError) as problem:
            raise self._lost(f"cannot start ({problem})") from problem
        finally:
            theirs.close()

    def give(self, job: Any) -> None:
        """Hands a job over. Raises ``WorkerError`` where the process is lost."""
        try:
            self._pipe.send(job)
        except OSError as problem:
            raise self._lost() from problem

    def take(self) -> Any:
        """Waits for a job's result. Raises what the job raised, or ``WorkerError``."""
        try:
            done, result = self._pipe.recv()
        except (EOFError, OSError) as problem:
            raise self._lost() from problem
        if not done:
            raise result
        return result

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self._pipe.close()
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join()

    def _lost(self, how: str = "") -> WorkerError:
        if not how:
            self._process.join(5)
            how = f"ended with exit code {self._process.exitcode} before its work was done"
        return WorkerError(
            f"a worker process {how}; free memory or use 1 process, and in a script of your own "
            "put the call under: if __name__ == '__main__'"
        )


def _serve(
    pipe: Connection,
    work: Callable[[Any], Any],
    start: Callable[..., None] | None,
    arguments: tuple[Any, ...],
) -> None:
    """The life of a worker: a job, its result, until the parent closes the pipe."""
    follow_parent()
    if start is not None:
        start(*arguments)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer = (True, work(job))
        except Exception as problem:  # it is raised again in the parent
            answer = (False, problem)
        pipe.send(answer)
