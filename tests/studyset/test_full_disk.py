"""A disk that fills: one clear sentence, and the same bytes once there is space."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradients import Gradients

from radpair.errors import StudySetError
from radpair.studyset import StudySet, write

KILOBYTES = 240


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system in memory of its own, which only root may mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={KILOBYTES}k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_full_disk_stops_and_continues(disk: Path, tmp_path: Path, processes: int) -> None:
    source, out = Gradients(80), disk / "set"
    write(source, tmp_path / "whole", size=48, processes=1)
    with pytest.raises(StudySetError) as caught:
        write(source, out, size=48, processes=processes)
    message = str(caught.value)
    assert re.match(rf"{out}/(pixels/\d+\.bin|\.parts/\d+\.json): no space left", message), message
    assert "make space and run the same command again" in message
    assert "MB more are needed" in message
    assert "\n" not in message
    assert not (out / "manifest.json").exists()
    assert not list(out.rglob("*.tmp"))
    kept = sorted((out / ".parts").glob("0*.json"))
    assert kept
    times = {record: record.stat().st_mtime_ns for record in kept}
    with pytest.raises(StudySetError, match="no space left"):
        write(source, out, size=48, processes=processes)
    assert {record: record.stat().st_mtime_ns for record in kept} == times, "written again"
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    write(source, out, size=48, processes=processes)
    assert content(out) == content(tmp_path / "whole")
    StudySet.open(out).verify()


@pytest.mark.usefixtures("small_parts")
def test_full_at_every_size(disk: Path, tmp_path: Path) -> None:
    """In pixels, records, tables or the manifest: the way on is the same."""
    source = Gradients(24)
    write(source, tmp_path / "whole", size=48, processes=1)
    refused = 0
    for kilobytes in range(8, 200, 12):
        out = disk / f"set{kilobytes}"
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(disk)], check=True)
        try:
            write(source, out, size=48, processes=1)
        except StudySetError as error:
            refused += "no space left" in str(error)
            subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
            write(source, out, size=48, processes=1)
        assert content(out) == content(tmp_path / "whole")
        subprocess.run(["rm", "-r", str(out)], check=True)
    assert 4 < refused < 16
