"""Killed at any moment and run again, a study set ends with the bytes of an unbroken run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from gradients import Gradients

from radpair.studyset import StudySet, write

SCRIPT = Path(__file__).parent / "gradients.py"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def begin(out: Path, processes: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SCRIPT), str(out), "160", str(processes), "0.004", "8"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, start_new_session=True, env=environment)


def finished_parts(out: Path) -> int:
    return len(list((out / ".parts").glob("0*.json")))


def wait_until_gone(group: int) -> None:
    """Until no process of the group is left; workers must die with their parent."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    os.killpg(group, signal.SIGKILL)
    pytest.fail("workers outlived their parent")


@pytest.mark.parametrize("processes", [1, 2])
def test_sigkill_at_random_moments(tmp_path: Path, processes: int) -> None:
    assert begin(tmp_path / "whole", 1).wait(60) == 0
    chance = random.Random(processes)
    out = tmp_path / "broken"
    kills = 0
    for goal in (2, 13):
        run = begin(out, processes)
        while run.poll() is None and finished_parts(out) < goal:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.05)
        if run.poll() is None:
            run.kill()
            kills += 1
        run.wait()
        wait_until_gone(run.pid)
    assert kills == 2
    assert begin(out, processes).wait(60) == 0
    assert content(out) == content(tmp_path / "whole")
    StudySet.open(out).verify()


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.mark.usefixtures("small_parts")
def test_stop_at_every_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is broken at its first, second, third ... sync to disk, until it passes."""
    write(Gradients(20), tmp_path / "whole", processes=1)
    whole = content(tmp_path / "whole")
    left = [0]

    def failing(_: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    monkeypatch.setattr("radpair.studyset.files.os.fsync", failing)
    for moment in range(200):
        out = tmp_path / f"broken-{moment}"
        left[0] = moment
        try:
            write(Gradients(20), out, processes=1)
        except Crash:
            left[0] = 10**9
            write(Gradients(20), out, processes=1)
            assert content(out) == whole
        else:
            break
    assert moment > 20


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("damage", ["shard", "record", "draft", "missing"])
def test_damaged_parts_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    from gradients import write_module

    out = tmp_path / "set"

    def stop(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(write_module(), "finish", stop)
        with pytest.raises(Crash):
            write(Gradients(20), out, processes=1)
    shard, record = out / "pixels" / "00001.bin", out / ".parts" / "00001.json"
    if damage == "missing":
        shard.unlink()
    elif damage == "draft":
        (out / "pixels" / ".00001.bin.77.tmp").write_bytes(b"half")
    else:
        path = shard if damage == "shard" else record
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    write(Gradients(20), out, processes=1)
    write(Gradients(20), tmp_path / "whole", processes=1)
    assert content(out) == content(tmp_path / "whole")
