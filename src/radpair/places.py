"""Where files lie: on this machine, as ``pathlib`` has it, or behind a URL, through fsspec.

``located("s3://bucket/tree")`` answers what a ``Path`` answers to who reads: ``/``, ``is_file``,
``glob``, ``open`` and the like. A path of this machine, or a ``file://`` URL, is a plain
``Path`` and nothing of this room stands between. Nothing here asks the network unless a URL was
given; which account, which endpoint and how often to try again is what fsspec and the driver
of the store take from their own settings, such as ``AWS_PROFILE``.
"""

from __future__ import annotations

import atexit
import errno
import fnmatch
import hashlib
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from radpair.errors import PlaceError
from radpair.scratch import FULL, scratch, with_room

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
"""A path that was a URL has one slash left of two. One letter is a drive, no protocol."""
_CHAIN = re.compile(r"[A-Za-z0-9+.-]+::[A-Za-z0-9+.:-]+/")
LOCAL = ("file", "local")
_NO_TREES = ("data",)
"""What fsspec knows and what names no place where files lie."""
HERE_ONLY = "memory"
"""The protocol of what only this process sees."""
BLOCK = 1 << 18
"""Bytes asked for at once where only the beginning of a file is wanted."""
_WILD = re.compile(r"[*?\[]")


class ForbiddenError(PlaceError):
    """The store is there, and does not give this file to these credentials."""


class Place(PurePosixPath):
    """A file or folder behind a URL. It holds nothing but its URL, so it can be pickled.

    Whatever fails other than by a missing file is a ``PlaceError`` that names the URL.
    """

    __slots__ = ()

    def __str__(self) -> str:
        found = _URL.fullmatch(super().__str__())
        return f"{found[1].lower()}://{found[2]}" if found else super().__str__()

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is not on this machine")

    @property
    def protocol(self) -> str:
        """``s3``, ``memory`` and the like."""
        return str(self).partition("://")[0]

    def absolute(self) -> Place:
        """Itself: a URL is relative to nothing."""
        return self

    resolve = absolute

    def is_file(self) -> bool:
        """Whether a file stands there."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self._kind() == "directory"

    def _kind(self) -> str:
        """Not by fsspec's own ``isfile``, for which a store that fails holds nothing."""
        try:
            with _named(self) as files:
                return str(files.info(str(self))["type"])
        except FileNotFoundError:
            return ""

    def exists(self) -> bool:
        """Whether a file or a folder stands there."""
        return bool(self._kind())

    def size(self) -> int:
        """Bytes of a file. Raises ``FileNotFoundError``."""
        with _named(self) as files:
            return int(files.info(str(self))["size"])

    def read_bytes(self) -> bytes:
        """The content of a file. Raises ``FileNotFoundError``."""
        with _named(self) as files:
            content: bytes = files.cat_file(str(self))
            return content

    def read_text(self, encoding: str = "utf-8") -> str:
        """A whole file as text. Raises ``FileNotFoundError``."""
        return self.read_bytes().decode(encoding)

    def open(self, mode: str = "r", **how: Any) -> IO[Any]:
        """A table or the like, read from a copy that is fetched once and kept till the end."""
        return here(cast(Path, self)).open(mode, **how)

    def names(self) -> tuple[list[str], list[str]]:
        """The names of the files in a folder and those of its folders, each sorted.

        Keys that a path cannot name (empty, ``.`` or ``..`` between slashes) are passed over.
        """
        found: dict[bool, set[str]] = {True: set(), False: set()}
        with _named(self) as files:
            own = files._strip_protocol(str(self)).rstrip("/")
            for entry in files.ls(str(self), detail=True):
                whole = entry["name"].rstrip("/")
                folder, _, name = whole.rpartition("/")
                if whole != own and folder == own and name not in ("", ".", ".."):
                    found[entry["type"] == "directory"].add(name)
        return sorted(found[False]), sorted(found[True])

    def glob(self, pattern: str) -> Iterator[Place]:
        """As of ``Path``, without ``**``."""
        first, _, rest = pattern.partition("/")
        if not _WILD.search(first):
            inner = [self / first]
        elif self.is_dir():
            files, folders = self.names()
            among = folders if rest else sorted([*files, *folders])
            inner = [self / name for name in among if fnmatch.fnmatchcase(name, first)]
        else:
            inner = []
        for place in inner:
            if rest:
                yield from place.glob(rest)
            elif _WILD.search(first) or place.exists():
                yield place

    def rglob(self, pattern: str) -> Iterator[Place]:
        """As of ``Path``, for files and a pattern without a slash."""
        files, folders = self.names()
        yield from (self / name for name in files if fnmatch.fnmatchcase(name, pattern))
        for name in folders:
            yield from (self / name).rglob(pattern)


def located(path: PurePath | str) -> Path:
    """A ``Path``, or for a URL the ``Place`` that answers what one does when it is read.

    A URL that went through ``Path``, as on the command line, is known again, unless a folder of
    that name, such as ``data:``, is here. Raises ``PlaceError`` for a protocol that is not known.
    """
    if isinstance(path, Place):
        return cast(Path, path)
    if _CHAIN.match(str(path)):
        raise PlaceError(f"{path}: is a chain of URLs; give a plain one such as s3://bucket/tree")
    found = _URL.fullmatch(str(path))
    if found is None or _is_here(str(path)):
        return Path(path)
    protocol, rest = found[1].lower(), found[2]
    if protocol in LOCAL:
        return Path("/" + rest)
    if ".." in PurePosixPath(rest).parts:
        raise PlaceError(f"{path}: leads through '..'; give the URL without it")
    made = Place(f"{protocol}://{rest}")
    with _named(made):
        return cast(Path, made)


def _is_here(path: str) -> bool:
    """Whether what may be a URL that lost a slash is a relative path of this machine."""
    protocol, _, rest = path.partition(":")
    if rest.startswith("//"):
        return False
    return protocol.lower() in _NO_TREES or Path(f"{protocol}:").exists()


def here(path: Path) -> Path:
    """The file on this machine: itself, or a copy fetched once and kept until the process ends.

    Raises ``FileNotFoundError``, and ``PlaceError`` also where there is no room for a copy.
    """
    if not isinstance(path, Place):
        return path
    copy = _copies() / hashlib.sha256(str(path).encode()).hexdigest()
    if not copy.is_file():
        with with_room(path):
            copied(path, copy)
    return copy


@contextmanager
def fetched(path: Path, most: int) -> Iterator[Path]:
    """The file on this machine for as long as the block lasts, for what is read once.

    A missing one is missing here too. One of more than ``most`` bytes is a file of its size
    without its content, so that its reader refuses it by its size.
    """
    if not isinstance(path, Place):
        yield path
        return
    with with_room(path):
        descriptor, name = tempfile.mkstemp(dir=_copies())
    os.close(descriptor)
    copy = Path(name)
    try:
        with with_room(path):
            _take(path, copy, most)
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _take(path: Place, copy: Path, most: int) -> None:
    try:
        size = path.size()
        if size > most:
            os.truncate(copy, size)
        else:
            copied(path, copy)
    except FileNotFoundError:
        copy.unlink(missing_ok=True)


@contextmanager
def beginning(path: Path, block: int = BLOCK) -> Iterator[BinaryIO]:
    """A file open for reading, a remote one by ranges of ``block`` bytes and without a copy.

    One that the store refuses is a ``PermissionError``, as it is on this machine.
    """
    if not isinstance(path, Place):
        with path.open("rb") as handle:
            yield handle
        return
    with _as_here(path), _named(path) as files:
        opened = files.open(str(path), "rb", block_size=block, cache_type="readahead")
    with opened, io.BufferedReader(_Ranges(path, opened), block) as handle:
        yield cast(BinaryIO, handle)


@contextmanager
def _as_here(path: Place) -> Iterator[None]:
    try:
        yield
    except ForbiddenError as error:
        why = "the store refuses to give it"
        raise PermissionError(errno.EACCES, why, str(path)) from error


class _Ranges(io.RawIOBase):
    """An open remote file whose faults are those of its store, not of its content."""

    def __init__(self, path: Place, opened: Any) -> None:
        super().__init__()
        self._path, self._opened = path, opened
        self.name = str(path)  # pydicom asks for it

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._opened.seek(offset, whence))

    def tell(self) -> int:
        return int(self._opened.tell())

    def readinto(self, buffer: Any) -> int:
        with _as_here(self._path), _named(self._path):
            data = self._opened.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def send(file: Path, to: Path | Place) -> None:
    """Writes a whole file under the name ``to``, or nothing; for a remote ``to``."""
    with _named(cast(Place, to)) as files:
        try:
            files.put_file(str(file), str(to))
        except FileNotFoundError as error:  # what is missing is the bucket
            raise OSError(str(error)) from error


def remove(path: Path | Place) -> None:
    """Removes a remote file that may not be there."""
    with _named(cast(Place, path)) as files:
        try:
            files.rm_file(str(path))
        except FileNotFoundError:
            return


def copied(path: Place, copy: Path) -> None:
    """Fetches a file to ``copy``, whole or not at all. Raises ``FileNotFoundError``.

    Where there is no room for ``copy`` that is the ``OSError`` of this machine.
    """
    draft = copy.with_name(copy.name + ".part")
    try:
        with _named(path) as files:
            files.get_file(str(path), str(draft))
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)


@cache
def _copies() -> Path:
    """A folder of this process below ``TMPDIR``, private, removed when it ends."""
    held = ExitStack()
    folder = held.enter_context(scratch())
    atexit.register(held.close)
    return folder


@contextmanager
def _named(path: Place) -> Iterator[Any]:
    """The file system of a URL; its faults become one sentence.

    Excepted are a missing file and a disk of this machine that is full.
    """
    try:
        yield _files(str(path))
    except (FileNotFoundError, PlaceError, MemoryError):
        raise
    except Exception as error:  # each store has errors of its own
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        why = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        kind = ForbiddenError if _is_refusal(error) else PlaceError
        raise kind(
            f"{path}: cannot be reached ({why}); check the URL, and the credentials and endpoint "
            "of the store"
        ) from error


def _is_refusal(error: Exception) -> bool:
    """Whether a store answered that this may not be read, each in its own way."""
    if isinstance(error, PermissionError):
        return True
    told = (getattr(error, name, None) for name in ("status", "status_code", "code"))
    return any(status in (403, "403") for status in told)


def _files(url: str) -> Any:
    """fsspec's file system; listings are asked for again each time, so that none is stale."""
    import fsspec

    protocol = url.partition("://")[0]
    if protocol not in fsspec.available_protocols():
        raise PlaceError(
            f"{url}: fsspec knows no protocol '{protocol}'; give such as s3://, gs:// or abfs://"
        )
    try:
        return fsspec.core.url_to_fs(url, use_listings_cache=False)[0]
    except ImportError as error:
        why = (str(error).splitlines() or [protocol])[0]
        raise PlaceError(
            f"{url}: the driver of {protocol}:// is missing ({why}); install it with pip"
        ) from error
