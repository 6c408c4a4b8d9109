"""A Dask cluster of two worker processes writes the bytes of one process, killed or not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'cluster'")

from distributed import LocalCluster

from radpair.sources import Pairs
from radpair.studyset import StudySet, write

STUDIES = 120


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
    ) as made:
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
