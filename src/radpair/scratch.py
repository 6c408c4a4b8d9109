"""Folders of a process below ``TMPDIR`` for what must not outlast it, such as films it fetched.

A process that is killed cannot remove its own. So each folder is held by a lock, which the
system lets go with the process, and the next process that wants one first removes those of its
user that nobody holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from radpair.errors import PlaceError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where there is no room."""
PREFIX = "radpair-"
LOCK = ".radpair-held"
"""The file that is locked; a folder without it is none of these, whatever its name."""
CONTENT = "files"


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty, private folder, removed when the block ends.

    Raises ``PlaceError`` where there is no room for it.
    """
    with with_room("a folder"):
        _sweep()
        folder, descriptor = _held()
    owner = os.getpid()
    try:
        yield folder / CONTENT
    finally:
        if os.getpid() == owner:  # and not of a process that was forked from it
            shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def with_room(what: object) -> Iterator[None]:
    """Turns a full ``TMPDIR`` into a sentence that says so."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise PlaceError(
            f"{tempfile.gettempdir()}: no space left ({os.strerror(error.errno or 0)}) for {what}; "
            "what is finished is kept: make space, or name another folder in TMPDIR, and run the "
            "same command again"
        ) from error


def _held() -> tuple[Path, int]:
    """A fresh folder and the descriptor that holds it."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with suppress(BlockingIOError):
                _lock(descriptor)
                if os.fstat(descriptor).st_nlink:  # else swept before it was locked
                    (folder / CONTENT).mkdir()
                    return folder, descriptor
        except BaseException:
            os.close(descriptor)
            shutil.rmtree(folder, ignore_errors=True)
            raise
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Raises ``BlockingIOError`` where another holds it; False where files cannot be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


@cache
def _sweep() -> None:
    """Removes what killed processes of this user left; once a process."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError):  # held, of another user, or just removed
            _remove(lock)


def _remove(lock: Path) -> None:
    folder = lock.parent.lstat()
    if folder.st_uid != os.getuid() or not stat.S_ISDIR(folder.st_mode):
        return
    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    try:
        if _lock(descriptor):
            shutil.rmtree(lock.parent, ignore_errors=True)
    finally:
        os.close(descriptor)
