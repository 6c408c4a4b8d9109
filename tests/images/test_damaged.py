"""A corpus of damaged files: each ends in the right picture or a reason, soon, in little memory."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from images.damaged import CHECKED, EITHER, REFUSED, SAME, Case, grey, make
from radpair.errors import ImageError
from radpair.images import decode
from radpair.sources import Table
from radpair.studyset import StudySet, write

SECONDS, BYTES = 10, 2 << 30
OUTCOMES = Path(__file__).with_name("damaged_outcomes.py")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Case]]:
    folder = tmp_path_factory.mktemp("damaged") / "films"
    return folder, make(folder)


@pytest.fixture(scope="module")
def told(corpus: tuple[Path, list[Case]]) -> dict[str, Any]:
    folder, cases = corpus
    names = folder.parent / "names.json"
    names.write_text(json.dumps([case.name for case in cases]))
    command = [sys.executable, str(OUTCOMES), str(folder), str(names)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_no_crash_no_hang_and_little_memory(
    corpus: tuple[Path, list[Case]], told: dict[str, Any]
) -> None:
    assert len(corpus[1]) >= 200
    assert len({case.name for case in corpus[1]}) == len(told["files"]) == len(corpus[1])
    slow = [name for name, found in told["files"].items() if found["seconds"] > SECONDS]
    assert not slow
    assert told["peak"] < BYTES


def test_each_is_the_right_picture_or_refused_with_a_reason(
    corpus: tuple[Path, list[Case]], told: dict[str, Any]
) -> None:
    folder, cases = corpus
    files = told["files"]
    for case in cases:
        found = files[case.name]
        reason = found.get("reason")
        if reason is not None:
            assert reason.startswith(str(folder / case.name)), reason
            assert "\n" not in reason
            assert ";" in reason, f"no remedy in: {reason}"
        else:
            assert found["kind"] == "uint8"
            assert len(found["shape"]) == 2
        same = bool(case.film) and found.get("pixels") == files[f"whole-{case.film}"]["pixels"]
        right = {SAME: same, REFUSED: bool(reason), CHECKED: same or bool(reason), EITHER: True}
        assert right[case.end], (case, found)


def test_the_whole_films_are_the_pixels_that_were_drawn(
    corpus: tuple[Path, list[Case]],
) -> None:
    for name in ("grey.png", "colour.png", "grey.tif", "packed.tif", "plain.dcm", "rle.dcm"):
        assert (decode(corpus[0] / f"whole-{name}") == grey()).all(), name


def test_ingest_keeps_or_quarantines_each(
    corpus: tuple[Path, list[Case]], told: dict[str, Any], tmp_path: Path
) -> None:
    """Nothing is lost, nothing refused is kept, and every entry has its reason."""
    folder, cases = corpus
    table = tmp_path / "films.csv"
    with table.open("w", newline="") as handle:
        rows = ((case.name, number) for number, case in enumerate(cases))
        csv.writer(handle).writerows([("path", "patient"), *rows])
    source = Table(file=table, root=folder, image_column="path", patient_column="patient")
    write(source, tmp_path / "set", processes=2)
    studies = StudySet.open(tmp_path / "set")
    kept = set(studies.image_paths)
    entries = pq.read_table(tmp_path / "set/quarantine.parquet").to_pylist()
    reasons = {entry["path"]: entry["reason"] for entry in entries}
    assert kept | set(reasons) == {case.name for case in cases}
    assert not kept & set(reasons)
    for name, found in told["files"].items():
        if "reason" in found:
            assert reasons[name] == found["reason"].replace(str(folder / name), name)
        else:
            assert name in kept or "duplicate" in reasons[name]


@contextmanager
def nobody() -> Iterator[None]:
    """Acts as a user who may not read everything, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def closed_films() -> Iterator[Path]:
    """A folder with a film that may be read, one that may not, and one in a closed folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "closed").mkdir()
        for number, place in enumerate(("closed.png", "closed/film.png", "open.png")):
            Image.fromarray(grey() ^ number).save(folder / place)
            (folder / place).chmod(0o644)
        (folder / "closed.png").chmod(0)
        (folder / "closed").chmod(0)
        try:
            yield folder
        finally:
            (folder / "closed").chmod(0o755)


def test_files_and_folders_that_may_not_be_read() -> None:
    with closed_films() as folder, nobody():
        assert (decode(folder / "open.png") == grey() ^ 2).all()
        for closed in ("closed.png", "closed/film.png"):
            with pytest.raises(ImageError, match=r"cannot be opened \(Permission denied\)"):
                decode(folder / closed)


def test_ingest_quarantines_what_may_not_be_read() -> None:
    """As a user without rights from the first look at the tree to the manifest."""
    with closed_films() as folder, nobody():
        table = folder / "films.csv"
        table.write_text("path,patient\nclosed.png,1\nclosed/film.png,2\nopen.png,3\n")
        source = Table(file=table, root=folder, image_column="path", patient_column="patient")
        summary = write(source, folder / "set", processes=1)
        assert (summary.images, summary.quarantined_images) == (1, 2)
        assert list(StudySet.open(folder / "set").image_paths) == ["open.png"]
        entries = pq.read_table(folder / "set/quarantine.parquet").to_pylist()
        reasons = {entry["path"]: entry["reason"] for entry in entries if entry["kind"] == "image"}
        assert set(reasons) == {"closed.png", "closed/film.png"}
        for path, reason in reasons.items():
            assert reason == f"{path}: cannot be opened (Permission denied); check the file"
