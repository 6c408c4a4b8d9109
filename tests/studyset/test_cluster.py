"""A Dask cluster of two worker processes writes the bytes of one process, killed or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'cluster'")

import dask
from distributed import LocalCluster

from radpair.errors import StudySetError
from radpair.sources import Pairs
from radpair.studyset import StudySet, write
from radpair.studyset import cluster as room

STUDIES = 120


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "5s"}),  # to one that was killed
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
        ) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films with reports, one of them damaged, one without a report, one that is there twice."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(STUDIES):
        place = folder / f"patient-{number // 2:03d}"
        place.mkdir(exist_ok=True)
        chance = np.random.default_rng(number if number != 77 else 76)
        grey = chance.integers(0, 256, (100 + number // 10, 120)).astype(np.uint8)
        cv2.imwrite(str(place / f"{number:03d}.png"), grey)
        if number != 60:
            (place / f"{number:03d}.txt").write_text(f"Heart is {number} mm wide.")
    (folder / "patient-020" / "041.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@pytest.fixture(scope="module")
def whole(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        small_parts(patch)
        write(Pairs(root=films), out, size=64, processes=1)
    counts = StudySet.open(out).manifest["counts"]
    assert (counts["quarantined_images"], counts["exact_duplicates"]) == (2, 1)
    assert counts["unusable_reports"] == 1
    return out


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    small_parts(monkeypatch)


def small_parts(patch: pytest.MonkeyPatch) -> None:
    from gradients import write_module

    patch.setattr(write_module(), "PART", 4)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pids(cluster: LocalCluster) -> list[int]:
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_one_of_two_workers_killed_in_the_middle(
    cluster: LocalCluster, films: Path, whole: Path, tmp_path: Path
) -> None:
    out, killed, seen = tmp_path / "set", [], []
    workers = pids(cluster)
    assert len(set(workers)) == 2

    def kill(done: int, total: int | None) -> None:
        seen.append(done)
        if done >= STUDIES // 3 and not killed:
            killed.append(workers[0])
            os.kill(workers[0], signal.SIGKILL)

    write(Pairs(root=films), out, size=64, scheduler=cluster.scheduler_address, progress=kill)
    assert len(killed) == 1
    assert killed[0] not in pids(cluster)
    assert seen == [0, *range(4, STUDIES + 1, 4)]
    assert content(out) == content(whole)
    assert StudySet.open(out).verify() > STUDIES // 4
    assert not list(out.rglob(".*.tmp"))


CLIENT = """
import importlib, sys
from radpair.sources import Pairs
importlib.import_module("radpair.studyset.write").PART = 4
from radpair.studyset import write
write(Pairs(root=sys.argv[1]), sys.argv[2], size=64, scheduler=sys.argv[3])
"""


def test_killed_client_continues(
    cluster: LocalCluster, films: Path, whole: Path, tmp_path: Path
) -> None:
    """Its paths are relative, and the workers stand in another folder."""
    out = tmp_path / "set"
    place = os.path.relpath(films, tmp_path)
    command = [sys.executable, "-c", CLIENT, place, "set", cluster.scheduler_address]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(command, cwd=tmp_path, env=environment)
    while run.poll() is None and len(list((out / ".parts").glob("0*.json"))) < 5:
        time.sleep(0.002)
    run.kill()
    run.wait()
    assert subprocess.run(command, cwd=tmp_path, env=environment, timeout=60).returncode == 0
    assert content(out) == content(whole)


def test_strict_stops(cluster: LocalCluster, films: Path, tmp_path: Path) -> None:
    with pytest.raises(
        StudySetError, match=r"stopped by --strict: patient-020/041.png: is damaged"
    ):
        write(
            Pairs(root=films),
            tmp_path / "set",
            size=64,
            scheduler=cluster.scheduler_address,
            strict=True,
        )


@pytest.mark.parametrize(
    ("name", "seen", "told"),
    [
        ("_versions", {**room._versions(), "Pillow": "1.0"}, "has Pillow .* has 1.0, and another"),
        ("_plan_hash", "0", "does not see the study set under way in .*; input and output must"),
        ("_witness", Path("elsewhere/1.png"), "does not see elsewhere/1.png; input and output"),
    ],
)
def test_worker_that_differs(
    cluster: LocalCluster,
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    seen: object,
    told: str,
) -> None:
    monkeypatch.setattr(room, name, lambda *_: seen)
    with pytest.raises(StudySetError, match=f"worker tcp://127.0.0.1:[0-9]+ {told}"):
        write(Pairs(root=films), tmp_path / "set", scheduler=cluster.scheduler_address)


def test_worker_of_another_radpair(
    cluster: LocalCluster, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "__version__", "99.0")
    with pytest.raises(StudySetError, match=r"worker tcp:.* has radpair .* where .* has 99\.0;"):
        write(Pairs(root=films), tmp_path / "set", scheduler=cluster.scheduler_address)


@pytest.mark.parametrize(
    ("scheduler", "processes", "told"),
    [
        ("tcp://127.0.0.1:8786", 2, "--scheduler and --processes: give one"),
        ("127.0.0.1:8786", None, "no address of a Dask scheduler; give such as tcp://HOST:8786"),
        ("tcp://127.0.0.1:1", None, "cannot be reached .*; check the address"),
        ("tls://127.0.0.1:1", None, "no certificates .* under distributed.comm.tls"),
    ],
)
def test_no_scheduler(
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheduler: str,
    processes: int | None,
    told: str,
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 0.5)
    with pytest.raises(StudySetError, match=told):
        write(Pairs(root=films), tmp_path / "set", processes=processes, scheduler=scheduler)


def test_no_workers(
    cluster: LocalCluster, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 0.5)
    with (
        LocalCluster(
            n_workers=0, loop=cluster.loop, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as empty,
        pytest.raises(StudySetError, match="the scheduler has no workers; start some with"),
    ):
        write(Pairs(root=films), tmp_path / "set", scheduler=empty.scheduler_address)


def test_scheduler_that_goes_away(
    cluster: LocalCluster, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE", 2.0)
    made = LocalCluster(
        n_workers=1,
        loop=cluster.loop,
        processes=False,
        protocol="tcp://",
        dashboard_address="127.0.0.1:0",
        host="127.0.0.1",
    )

    def leave(done: int, total: int | None) -> None:
        if done:
            made.close()

    with pytest.raises(
        StudySetError, match=r"the scheduler went away \(.*start it and run the same"
    ):
        write(Pairs(root=films), tmp_path / "set", scheduler=made.scheduler_address, progress=leave)
