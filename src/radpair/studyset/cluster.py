"""Parts prepared by the workers of a Dask cluster, the same bytes as by processes of one machine.

A worker reads the input and writes its part itself, so it must see both under the same paths: on
a shared file system, or in an object store. Before each part it makes sure that it does, and
that it has the versions of radpair and of all decoders that the writing process has, since
another decoder may give other pixels. A part lost with its worker is given to another one, and so
is one whose worker does not answer any more.

Dask encrypts and authenticates with ``tls://`` alone: over ``tcp://`` whoever reaches the ports
of the cluster can read what passes and run programs on it.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from radpair import __version__
from radpair.errors import PlaceError, RadpairError, StudySetError
from radpair.places import ForbiddenError
from radpair.records import FileSource
from radpair.studyset.manifest import PARTS, PLAN
from radpair.studyset.parts import AnySource, Done, Part
from radpair.studyset.roll import SILENT, held_by, say, versions_of, who_holds
from radpair.studyset.worker import AHEAD, Job

if TYPE_CHECKING:
    from distributed import Client, Future

PROTOCOLS = ("tcp://", "tls://")
CONNECT = 30.0
"""Seconds to wait for a scheduler."""
PATIENCE = 30.0
"""Seconds to wait for a first worker, and for a part before all workers are asked for an answer."""
ANSWER = 10.0
"""Seconds to wait for that answer, which a worker can give while it works."""
AGAIN = 1.0
"""Seconds to wait for the answer of one that gave none before."""
ALONE = 4
"""How often ``PATIENCE`` may pass without any worker before the work is given up."""
LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "Pillow",
    "pydicom",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
)
"""What decides the bytes of a part, beside radpair itself."""

_ONE = threading.Lock()
"""Decoders keep settings of the whole process, so a worker prepares one part at a time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is told of the set under way, beside the part."""

    job: Job
    plan: str
    """The hash of the plan that stands in the set's folder."""
    witness: Path | None
    """An image that the writing process sees."""
    versions: Mapping[str, str]


def check_scheduler(scheduler: str, processes: int | None) -> None:
    """Raises ``StudySetError`` for an address that is none of a Dask scheduler."""
    if processes is not None:
        raise StudySetError("--scheduler and --processes: give one of them")
    if not scheduler.startswith(PROTOCOLS):
        raise StudySetError(
            f"--scheduler '{scheduler}' is no address of a Dask scheduler; give such as "
            "tcp://HOST:8786, or tls://HOST:8786 where Dask is set up with certificates"
        )


def done_parts(job: Job, parts: Iterator[Part], scheduler: str) -> Iterator[Done]:
    """The parts in their order, each prepared by some worker of the cluster.

    Raises ``StudySetError`` where the scheduler cannot be reached, or where a worker lacks
    radpair, has another version of it or of a decoder, or does not see the paths.
    """
    first = next(parts, None)
    if first is None:
        return
    job = replace(job, source=_absolute(job.source), out=job.out.absolute())
    order = Order(job, _plan_hash(job.store or job.out), _witness(job.source, first), _versions())
    with _connected(scheduler) as client:
        yield from _Crowd(client, order).work(chain([first], parts))


def prepare(order: Order, part: Part) -> Done | Exception:
    """Runs on a worker: prepares one part where everything is as the writing process sees it.

    What goes wrong here is given back, so that whatever is raised is a fault of the cluster.
    """
    try:
        _check_versions(order.versions)
        _check_sight(order)
        with _ONE:
            cv2.setNumThreads(1)
            return order.job.write_from_afar(part)
    except Exception as error:
        return _told(error)


def _told(error: Exception) -> Exception:
    """The error in a form that can be sent, with where it happened if that is a defect."""
    if isinstance(error, RadpairError):
        return error
    known = type(error).__module__ == "builtins" and not isinstance(error, ExceptionGroup)
    plain = all(isinstance(given, str | bytes | int | float | None) for given in error.args)
    sent = error if known and plain and not vars(error) else RuntimeError(_words(error))
    sent.add_note(f"on worker {_address()}:\n{''.join(traceback.format_exception(error))}")
    return sent


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _absolute(source: AnySource) -> AnySource:
    """The source with whole paths, since workers stand in other folders."""
    if not is_dataclass(source) or isinstance(source, type):
        return source
    given = {field.name: getattr(source, field.name) for field in fields(source) if field.init}
    paths = {name: value.absolute() for name, value in given.items() if isinstance(value, Path)}
    return replace(source, **paths)


def _witness(source: AnySource, part: Part) -> Path | None:
    """The first image of the part that is there."""
    if isinstance(source, FileSource):
        for study in part.studies:
            for view in range(len(study.views)):
                path = source.path_of(study, view)
                with suppress(OSError, ForbiddenError):  # it will be quarantined, with its reason
                    if path.is_file():
                        return path
    return None


def _plan_hash(out: Path) -> str:
    return hashlib.sha256((out / PARTS / PLAN).read_bytes()).hexdigest()


@cache
def _versions() -> dict[str, str]:
    found = {"radpair": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def _check_versions(wanted: Mapping[str, str]) -> None:
    for name, here in _versions().items():
        if here != wanted[name]:
            raise StudySetError(
                f"worker {_address()} has {name} {here} where this process has {wanted[name]}, "
                "and another version may give other pixels; install the same on all"
            )


def _check_sight(order: Order) -> None:
    """The worker sees the same output folder, with the plan of this set, and the input."""
    why = ""
    if order.witness is not None:
        try:
            seen = order.witness.is_file()
        except (OSError, PlaceError) as error:
            seen, why = False, f" ({_reason(error)})"
        if not seen:
            raise _unseen(f"{order.witness}{why}")
    out = order.job.store or order.job.out
    try:
        same = _plan_hash(out) == order.plan
    except (OSError, PlaceError) as error:
        same, why = False, f" ({_reason(error)})"
    if not same:
        raise _unseen(f"the study set under way in {out}{why}")


def _unseen(what: str) -> StudySetError:
    return StudySetError(
        f"worker {_address()} does not see {what}; input and output must lie on a file system that "
        "all workers share under the same paths, or in an object store"
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or _line(error)


def _address() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return "without a scheduler"


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    try:
        from distributed import Client
    except ImportError as error:
        raise StudySetError(
            f"--scheduler {scheduler}: Dask is not installed; install it with "
            "pip install 'radpair[cluster]'"
        ) from error
    try:
        client = Client(scheduler, timeout=CONNECT, set_as_default=False)
    except TypeError as error:
        raise StudySetError(
            f"--scheduler {scheduler}: there are no certificates for it; name them in Dask's "
            "configuration under distributed.comm.tls"
        ) from error
    except (OSError, ValueError) as error:
        raise StudySetError(
            f"--scheduler {scheduler}: cannot be reached ({_line(error)}); check the address and "
            "that 'dask scheduler' runs there"
        ) from error
    told = logging.getLogger("distributed.client")
    level = told.level
    told.setLevel(logging.CRITICAL + 1)  # a lost scheduler becomes one sentence
    try:
        yield client
    finally:
        client.close()
        told.setLevel(level)


@dataclass(slots=True)
class _Given:
    """A part that some worker is to prepare."""

    part: Part
    future: Future
    among: frozenset[str]
    """The workers one of which must do it; any, if empty."""


class _Crowd:
    """The workers of a cluster, with the parts that are theirs."""

    def __init__(self, client: Client, order: Order) -> None:
        self._client, self._order = client, order
        self._run = secrets.token_hex(4)
        self._pending: deque[_Given] = deque()
        self._silent: set[str] = set()
        """Workers that did not answer when they were asked last."""
        self._asked = 0.0

    def work(self, parts: Iterator[Part]) -> Iterator[Done]:
        """Raises ``StudySetError``; what the workers had begun is then taken from them."""
        with self._named_faults():
            self._wait_for_workers()
        try:
            for part in parts:
                with self._named_faults():
                    self._ask_again()
                    self._pending.append(self._given(part))
                    enough = len(self._pending) >= AHEAD * max(len(self._workers()), 1)
                if enough:
                    yield self._take()
            while self._pending:
                yield self._take()
        finally:
            with suppress(OSError):  # the scheduler may be gone, and its tasks with it
                self._client.cancel([given.future for given in self._pending], force=True)

    @contextmanager
    def _named_faults(self) -> Iterator[None]:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        out = self._order.job.out
        try:
            yield
        except KilledWorker as error:
            near = self._pending[0].part.studies[0].study_id
            raise StudySetError(
                f"{out}: workers of the cluster were killed again and again near study '{near}', "
                "most often for want of memory; finished parts are kept: run the same command "
                "again, with more memory a worker"
            ) from error
        except (FutureCancelledError, OSError) as error:
            raise StudySetError(
                f"{out}: the scheduler went away ({_line(error)}); finished parts are kept: start "
                "it and run the same command again"
            ) from error
        except (ImportError, AttributeError, RuntimeError) as error:
            raise StudySetError(
                f"{out}: the scheduler or a worker lacks radpair {__version__} or the source's "
                f"module, or has another version ({_line(error)}); install the same on all"
            ) from error

    def _given(self, part: Part) -> _Given:
        """Hands a part to the workers, without those that do not answer."""
        among = frozenset(self._workers()) if self._silent else frozenset()
        key = f"radpair-{self._run}-{part.index:05d}-{secrets.token_hex(2)}"
        future = self._client.submit(
            prepare, self._order, part, key=key, pure=False, workers=sorted(among) or None
        )
        return _Given(part, future, among)

    def _take(self) -> Done:
        """The oldest part, when it is done."""
        waited = alone = 0
        with self._named_faults():
            while True:
                try:
                    done: Done | Exception = self._pending[0].future.result(timeout=PATIENCE)
                    break
                except TimeoutError:
                    waited += 1
                    self._call_roll()
                    alone = 0 if self._workers() else alone + 1
                    if alone == ALONE:
                        raise self._no_workers() from None
                    self._give_to_others()
                    if waited == ALONE:
                        self._say_slow()
        self._pending.popleft()
        if isinstance(done, Exception):
            raise done
        return done

    def _workers(self) -> set[str]:
        """Those that the scheduler knows, without those that do not answer."""
        return set(self._client.nthreads()) - self._silent

    def _wait_for_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise self._no_workers() from None
        self._call_roll()
        if not self._workers():
            raise self._no_workers()

    def _call_roll(self) -> None:
        """Finds and names the workers that do not answer.

        Raises ``StudySetError`` for one without this radpair, which could not even read its task.
        """
        found = versions_of(self._client, list(self._client.nthreads()), ANSWER)
        silent = {worker for worker, has in found.items() if has == SILENT}
        for worker in sorted(silent - self._silent):
            say(f"worker {worker} does not answer; its parts are given to others")
        self._silent, self._asked = silent, time.monotonic()
        for worker, here in found.items():
            if here not in (SILENT, __version__):
                has = f"radpair {here}" if isinstance(here, str) else "no radpair"
                raise StudySetError(
                    f"worker {worker} has {has} where this process has {__version__}; install "
                    "the same on all"
                )

    def _ask_again(self) -> None:
        """Those that did not answer, now and then, since they may have come back."""
        if self._silent and time.monotonic() - self._asked > PATIENCE:
            found = versions_of(self._client, sorted(self._silent), AGAIN)
            self._silent = {worker for worker, has in found.items() if has == SILENT}
            self._asked = time.monotonic()

    def _give_to_others(self) -> None:
        """The parts of workers that do not answer; that one is then done twice is harmless."""
        here = self._workers()
        held = held_by(self._client, self._silent) if self._silent else set()
        for place, given in enumerate(self._pending):
            lost = given.among and not given.among & here
            if here and (lost or str(given.future.key) in held):
                self._pending[place] = self._given(given.part)
                self._client.cancel([given.future], force=True)

    def _say_slow(self) -> None:
        """A worker may answer and still wait for a file system that hangs."""
        given = self._pending[0]
        say(
            f"the part near study '{given.part.studies[0].study_id}' takes long, on worker "
            f"{who_holds(self._client, str(given.future.key))}; if that one hangs, end it: its "
            "parts are then given to others"
        )

    def _no_workers(self) -> StudySetError:
        if self._silent:
            return StudySetError(
                f"{self._order.job.out}: none of the workers answers, not {min(self._silent)}; "
                "start them anew and run the same command again"
            )
        return StudySetError(
            f"{self._order.job.out}: the scheduler has no workers; start some with 'dask worker "
            "ADDRESS --nthreads 1 --nworkers CORES' and run the same command again"
        )


def _line(error: BaseException) -> str:
    """The first line of a message, of the first cause where it is told, or its kind."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
