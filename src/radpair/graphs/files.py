"""Files of graphs that are whole or absent, and the journal that a killed extraction leaves."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from radpair.errors import GraphError


def check_output(
    out: Path,
    endings: Sequence[str],
    inputs: Iterable[Path | None],
    beside: Sequence[Path] = (),
) -> None:
    """An output has one of ``endings`` and is none of the ``inputs``, under whatever name.

    ``beside`` are further files that are written with it. A link to an input counts as the input.
    Raises ``GraphError``.
    """
    given = [path for path in inputs if path is not None]
    for target in (out, *beside):
        if any(_same(target, path) for path in given):
            written = ":" if target == out else f", which is written with {out},"
            raise GraphError(
                f"{target}{written} is what the command reads and would be replaced; "
                "choose another --out"
            )
    if out.suffix.lower() not in endings:
        raise GraphError(f"{out}: give --out a name that ends in {' or '.join(endings)}")


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Opens ``path`` for writing so that it appears, synced, only when the block ends well.

    Raises ``GraphError`` where it cannot be written.
    """
    beside = path.with_name(f".{path.name}.tmp")
    try:
        try:
            with beside.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> GraphError:
    return GraphError(
        f"{path}: cannot be written ({error.strerror or error}); mend that and give the same "
        "command again, or choose another --out"
    )


def csv_row(cells: Iterable[str]) -> bytes:
    """A line of a CSV file; halves of surrogate pairs, which no encoding can write, are escaped."""
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", "backslashreplace")


def without_table(out: Path, what: str) -> Path:
    """Where the reports stand of which ``out`` has no ``what``, with their reasons."""
    return out.with_name(f"{out.name.removesuffix(out.suffix)}.without-{what}.csv")


def write_json(path: Path, value: object) -> None:
    """A JSON file as a whole; halves of surrogate pairs are escaped. Raises ``GraphError``."""
    text = json.dumps(value, ensure_ascii=False, indent=1)
    with whole(path) as file:
        file.write(text.encode("utf-8", "backslashreplace") + b"\n")


class Journal:
    """Lines that are done, in order, on disk; a process that is killed loses at most the last.

    Every line carries its checksum, so that what was cut off is seen and written again.
    """

    def __init__(self, path: Path, file: BinaryIO, done: int, other: str) -> None:
        self.path, self._file = path, file
        self.done = done
        """How many lines stand."""
        self.other = other
        """What of the header differed, so that an older journal was thrown away; mostly empty."""

    def add(self, lines: Iterable[bytes]) -> None:
        """Appends lines (no line break within) and hands them to the system.

        Raises ``GraphError`` where they cannot be written.
        """
        try:
            for line in lines:
                self._file.write(b"%08x %s\n" % (zlib.crc32(line), line))
                self.done += 1
            self._file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def lines(self) -> Iterator[bytes]:
        """Every line from the first."""
        self._file.seek(0)
        next(self._file)
        for line in self._file:
            yield line[9:-1]

    def remove(self) -> None:
        """Takes the file away, once what it held stands elsewhere."""
        self.path.unlink(missing_ok=True)


@contextmanager
def journal(path: Path, header: Mapping[str, str]) -> Iterator[Journal]:
    """Opens the journal at ``path``, which continues where ``header`` is that of its beginning.

    Raises ``GraphError`` where another process has it open or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise GraphError(
            f"{path.parent}: cannot be written to ({error.strerror}); mend that, or choose "
            "another --out"
        ) from error
    file = os.fdopen(descriptor, "r+b")
    try:
        _lock(path, descriptor)
        yield _continued(path, file, header)
    finally:
        file.raw.close()  # every line was handed on; what a full disk did not take is given up


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise GraphError(
            f"{path}: another process is writing these graphs; wait for it to end"
        ) from None


def _continued(path: Path, file: BinaryIO, header: Mapping[str, str]) -> Journal:
    first = json.dumps(header, sort_keys=True).encode() + b"\n"
    before = file.readline()
    if before != first:
        file.seek(0)
        file.truncate()
        try:
            file.write(first)
            file.flush()
        except OSError as error:
            raise _unwritable(path, error) from error
        return Journal(path, file, 0, _changed(before, header))
    done, end = 0, len(first)
    for line in file:
        if not _sound(line):
            break
        done, end = done + 1, end + len(line)
    file.seek(end)
    file.truncate()
    return Journal(path, file, done, "")


def _sound(line: bytes) -> bool:
    return line[-1:] == b"\n" and line[:9] == b"%08x " % zlib.crc32(line[9:-1])


def _changed(before: bytes, header: Mapping[str, str]) -> str:
    """The names of the header's values that changed; empty where there was no header."""
    try:
        old = json.loads(before) if before else None
    except ValueError:
        return "journal"
    if not isinstance(old, dict):
        return ""
    names = sorted({*old, *header})
    return ", ".join(name for name in names if old.get(name) != header.get(name))
