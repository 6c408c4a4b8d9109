"""Folders below TMPDIR that do not outlast their process, nor that of a killed one for long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from radpair import scratch as room
from radpair.errors import PlaceError
from radpair.scratch import scratch, with_room

HOLDER = """
import sys
from radpair.scratch import scratch
with scratch() as folder:
    (folder / "film.png").write_bytes(b"of a patient")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    room._sweep.cache_clear()
    return tmp_path


def holder(temporary: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_removed_at_its_end(temporary: Path) -> None:
    with scratch() as folder:
        assert folder.is_relative_to(temporary)
        assert folder.parent.stat().st_mode & 0o077 == 0
        assert not list(folder.iterdir())
        (folder / "x").write_text("x")
    assert not list(temporary.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path) -> None:
    killed, left = holder(temporary)
    living, kept = holder(temporary)
    try:
        killed.kill()
        killed.wait()
        assert (left / "film.png").is_file()
        with scratch():
            assert not left.parent.exists()
            assert (kept / "film.png").is_file()
        assert [p.name for p in temporary.iterdir()] == [kept.parent.name]
    finally:
        living.communicate("", timeout=60)
    assert not list(temporary.iterdir())


def test_folders_of_the_user_are_left_alone(
    temporary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mine = temporary / "radpair-experiments"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / room.LOCK).touch()
    (temporary / "radpair-link").symlink_to(elsewhere)
    with scratch():
        assert (mine / "notes.txt").is_file()
        assert (elsewhere / room.LOCK).is_file()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_folders_of_others_are_left_alone(temporary: Path) -> None:
    theirs = temporary / "radpair-theirs"
    theirs.mkdir()
    (theirs / room.LOCK).touch()
    os.chown(theirs, 12345, 12345)
    with scratch():
        assert (theirs / room.LOCK).is_file()


def test_swept_between_its_making_and_its_lock(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, folders = room._lock, []

    def late(descriptor: int) -> bool:
        if not folders:
            folders.extend(temporary.iterdir())
            (folders[0] / room.LOCK).unlink()
            folders[0].rmdir()
        return lock(descriptor)

    monkeypatch.setattr(room, "_lock", late)
    with scratch() as folder:
        assert folder.is_dir()
        assert folder.parent != folders[0]


def test_no_room(temporary: Path) -> None:
    with (
        pytest.raises(PlaceError, match=rf"^{temporary}: no space left .* for a.* in TMPDIR, and"),
        with_room("a film"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(OSError, match="another fault"), with_room("a film"):
        raise OSError("another fault")
