"""A Dask cluster of two worker processes writes the bytes of one process, killed or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("distributed", reason="needs the extra 'cluster'")

import dask
from distributed import Client, LocalCluster
from gradients import Gradients, write_module
from held import Failing, Held

from radpair.errors import ImageError, StudySetError
from radpair.sources import Pairs
from radpair.studyset import StudySet, write
from radpair.studyset import cluster as room

STUDIES = 48
LONG = 120.0
"""Seconds within which a busy machine does what a quiet one does at once."""


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
        chance = np.random.default_rng(number if number != 27 else 26)
        grey = chance.integers(0, 256, (70 + number // 10, 80)).astype(np.uint8)
        cv2.imwrite(str(place / f"{number:03d}.png"), grey)
        if number != 30:
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
    patch.setattr(write_module(), "PART", 4)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pids(cluster: LocalCluster) -> dict[int, str]:
    """The addresses of the workers by their process."""
    with Client(cluster, set_as_default=False) as client:
        return {pid: address for address, pid in client.run(os.getpid).items()}


class Watch(threading.Thread):
    """Does something to the process that reads the held study, as soon as one does."""

    def __init__(self, source: Held, act: Callable[[int], object]) -> None:
        super().__init__(daemon=True)
        self.source, self.act, self.pid = source, act, 0
        self.finished: list[Path] = []
        """Records of the part that was being made, which there should not be."""

    def run(self) -> None:
        until = time.monotonic() + LONG
        while not self.pid and time.monotonic() < until:
            time.sleep(0.01)
            self.pid = self.source.reader()
        self.finished = list((self.source.folder / "set" / ".parts").glob("00002.json"))
        self.act(self.pid)


@pytest.fixture(scope="module")
def unheld(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("unheld") / "set"
    with pytest.MonkeyPatch.context() as patch:
        small_parts(patch)
        write(Gradients(24), out, size=48, processes=1)
    return content(out)


def test_one_of_two_workers_killed_within_a_part(
    cluster: LocalCluster, unheld: dict[str, bytes], tmp_path: Path
) -> None:
    source, workers = Held(24, tmp_path), pids(cluster)
    assert len(workers) == 2
    watch = Watch(source, lambda pid: os.kill(pid, signal.SIGKILL))
    watch.start()
    seen: list[int] = []
    write(
        source,
        tmp_path / "set",
        size=48,
        scheduler=cluster.scheduler_address,
        progress=lambda done, _: seen.append(done),
    )
    assert source.gate.exists(), "the first reading came to its end"
    assert watch.pid in workers
    assert not watch.finished
    assert watch.pid not in pids(cluster)
    assert seen == list(range(0, 25, 4))
    assert content(tmp_path / "set") == unheld


def test_one_of_two_workers_hangs_within_a_part(
    cluster: LocalCluster, unheld: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(room, "PATIENCE", 2.0)
    monkeypatch.setattr(room, "ANSWER", 4.0)
    monkeypatch.setattr(room, "say", said.append)
    source, workers = Held(24, tmp_path), pids(cluster)
    watch = Watch(source, lambda pid: os.kill(pid, signal.SIGSTOP))
    watch.start()
    try:
        write(source, tmp_path / "set", size=48, scheduler=cluster.scheduler_address)
    finally:
        os.kill(watch.pid, signal.SIGCONT)
        again = source.gate.exists()
        source.gate.unlink()
    assert again, "the first reading came to its end"
    assert not watch.finished
    assert f"worker {workers[watch.pid]} does not answer; its parts are given to others" in said
    assert content(tmp_path / "set") == unheld


def test_no_worker_answers_and_all_come_back(
    cluster: LocalCluster, unheld: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = pids(cluster)
    monkeypatch.setattr(room, "ANSWER", 1.0)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StudySetError) as caught:
            write(Gradients(24), tmp_path / "set", size=48, scheduler=cluster.scheduler_address)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    told = f"none of the workers answers, not {min(workers.values())}; start them anew and run"
    assert told in str(caught.value)
    monkeypatch.setattr(room, "ANSWER", LONG)
    write(Gradients(24), tmp_path / "set", size=48, scheduler=cluster.scheduler_address)
    assert content(tmp_path / "set") == unheld


def test_a_worker_that_answers_again_has_parts_again(
    cluster: LocalCluster, unheld: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, address = next(iter(pids(cluster).items()))
    among: list[frozenset[str]] = []
    ask, given = room.versions_of, room._Crowd._given

    def versions_of(client: Client, workers: list[str], seconds: float) -> dict[str, object]:
        found = ask(client, workers, 1.0 if not among else LONG)
        if not among:
            os.kill(stopped, signal.SIGCONT)
        return found

    def noted(crowd: room._Crowd, part: room.Part) -> Any:
        made = given(crowd, part)
        among.append(made.among)
        return made

    monkeypatch.setattr(room, "PATIENCE", 1.0)
    monkeypatch.setattr(room, "versions_of", versions_of)
    monkeypatch.setattr(room._Crowd, "_given", noted)
    os.kill(stopped, signal.SIGSTOP)
    try:
        write(
            Gradients(24, wait=0.3),
            tmp_path / "set",
            size=48,
            scheduler=cluster.scheduler_address,
        )
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert among[0]
    assert address not in among[0]
    assert not among[-1], "any worker may have the last part"
    assert content(tmp_path / "set") == unheld


def test_a_part_that_takes_long(
    cluster: LocalCluster, unheld: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    source, workers = Held(24, tmp_path), pids(cluster)

    def say(words: str) -> None:
        said.append(words)
        source.gate.unlink(missing_ok=True)

    monkeypatch.setattr(room, "PATIENCE", 0.5)
    monkeypatch.setattr(room, "say", say)
    watch = Watch(source, lambda pid: None)
    watch.start()
    write(source, tmp_path / "set", size=48, scheduler=cluster.scheduler_address)
    assert said[0].startswith(
        f"the part near study 's00008' takes long, on worker {workers[watch.pid]}; if that one"
    )
    assert content(tmp_path / "set") == unheld


@pytest.mark.parametrize("kind", [RuntimeError, AttributeError, KeyError])
def test_a_defect_of_the_source_is_told_as_it_is(
    cluster: LocalCluster, tmp_path: Path, kind: type[Exception]
) -> None:
    source = Failing(24, kind("a bug of mine"))
    with pytest.raises(kind, match="a bug of mine") as caught:
        write(source, tmp_path / "set", size=48, scheduler=cluster.scheduler_address)
    assert "on worker tcp://127.0.0.1:" in caught.value.__notes__[0]
    assert "in read" in caught.value.__notes__[0]


@pytest.mark.parametrize("error", [OSError("the tape is torn"), TimeoutError("the tape is torn")])
def test_a_source_that_cannot_read(cluster: LocalCluster, tmp_path: Path, error: OSError) -> None:
    with pytest.raises(StudySetError, match=r"^source 'gradients' cannot .* \(the tape is torn\)"):
        write(Failing(24, error), tmp_path / "set", size=48, scheduler=cluster.scheduler_address)


def test_errors_that_cannot_be_sent_keep_their_words() -> None:
    class OwnError(Exception):
        pass

    assert repr(room._told(OwnError("torn"))) == "RuntimeError('OwnError: torn')"
    assert repr(room._told(ValueError(threading.Lock()))).startswith("RuntimeError('ValueError: <")
    known = ImageError("torn")
    assert room._told(known) is known


@pytest.mark.parametrize("denied", [PermissionError(13, "Permission denied")])
def test_films_that_may_not_be_looked_at(
    films: Path, monkeypatch: pytest.MonkeyPatch, denied: PermissionError
) -> None:
    source = Pairs(root=films)
    part = room.Part(0, tuple(source.studies())[:4])
    seen = room._witness(source, part)
    assert seen == films / "patient-000" / "000.png"
    is_file = Path.is_file

    def refuse(path: Path, **how: Any) -> bool:
        if path.name == "000.png":
            raise denied
        return is_file(path, **how)

    monkeypatch.setattr(Path, "is_file", refuse)
    assert room._witness(source, part) == films / "patient-000" / "001.png"
    order = room.Order(room.Job(source, films, 64), "", seen, {})
    with pytest.raises(StudySetError, match=r"not see .*000.png \(Permission denied\); input and"):
        room._check_sight(order)


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
    assert subprocess.run(command, cwd=tmp_path, env=environment, timeout=LONG).returncode == 0
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
    monkeypatch.setattr(room, "CONNECT", 0.5)
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
    monkeypatch.setattr(room, "CONNECT", 10.0)
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
