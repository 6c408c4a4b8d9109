"""Files that are either whole or absent: written beside, hashed on the way, synced, renamed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radpair.errors import StudySetError
from radpair.scratch import FULL

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a manifest says of one file."""

    bytes: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """JSON values for a manifest."""
        return asdict(self)


class _Target(io.RawIOBase):
    """An open file that counts and hashes what goes through it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        self._digest = hashlib.sha256()
        self.count = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.count

    def write(self, data: Any) -> int:
        """Writes bytes, or what has a buffer of them; gives their number."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            done += os.write(self._descriptor, view[done : done + 16 * CHUNK])
        self._digest.update(view)
        self.count += len(view)
        return len(view)

    def sync(self) -> None:
        """Waits until what was written is on the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def record(self) -> FileRecord:
        """Size and hash of what was written."""
        return FileRecord(self.count, self._digest.hexdigest())


class Draft:
    """The file under way; ``record`` is set once it stands under its name."""

    def __init__(self, target: _Target) -> None:
        self.file = target
        self.record = FileRecord(0, "")

    def write(self, data: Any) -> int:
        """Writes bytes, or what has a buffer of them; gives their number."""
        return self.file.write(data)


@contextmanager
def atomic(path: Path) -> Iterator[Draft]:
    """Opens ``path`` for writing so that it appears only when the block ends well.

    An ``OSError`` of its own names ``path``.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    target = _Target(beside)
    draft = Draft(target)
    try:
        yield draft
        target.sync()
        target.close()
        beside.replace(path)
        sync_folder(path.parent)
        draft.record = target.record()
    except OSError as error:  # a failed write does not know its file
        if error.errno is not None and error.filename in (None, str(beside)):
            error.filename = str(path)
        raise
    finally:
        target.close()
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> FileRecord:
    """Writes a whole file, synced, or none."""
    with atomic(path) as draft:
        draft.write(data)
    return draft.record


def write_json(path: Path, value: Any) -> FileRecord:
    """Writes a whole JSON file or none; NaN is a ``ValueError``."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return write_bytes(path, (text + "\n").encode())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last through a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def measure(path: Path) -> FileRecord:
    """Size and sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    count = 0
    with path.open("rb") as handle:
        while piece := handle.read(CHUNK):
            digest.update(piece)
            count += len(piece)
    return FileRecord(count, digest.hexdigest())


def remove_drafts(folder: Path) -> None:
    """Removes what a killed process left half-written."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


@contextmanager
def writing_to(out: Path) -> Iterator[None]:
    """Turns a failure of the disk into a sentence that names it and the way on."""
    try:
        yield
    except OSError as error:
        where = error.filename or out
        if error.errno in FULL:
            raise StudySetError(
                f"{where}: no space left ({os.strerror(error.errno or 0)}); what is finished is "
                "kept: make space and run the same command again"
            ) from error
        why = error.strerror or str(error) or type(error).__name__
        raise StudySetError(
            f"{where}: {why}, so the study set {out} cannot be written; mend "
            "the permission or the disk and run the same command again, or choose another --out"
        ) from error
