"""Whose fault it is that an image cannot be read: the source's, its store's, or the full disk's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from gradients import Gradients
from numpy.typing import NDArray
from PIL import Image

from radpair.errors import PlaceError, StudySetError
from radpair.places import _copies, located
from radpair.records import Study
from radpair.sources import Pairs
from radpair.studyset import StudySet, write
from radpair.studyset.files import atomic

pytestmark = pytest.mark.usefixtures("small_parts")
COUNT = 20


class Failing(Gradients):
    """Cannot read one of its images."""

    def __init__(self, error: Exception) -> None:
        super().__init__(12, faults=False)
        self.error = error

    def options(self) -> dict[str, Any]:
        return {}

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        if study.study_id == "s00010":
            raise self.error
        return super().read(study, view)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("the archive is cut off"), "the archive is cut off"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_of_the_source_is_not_one_of_the_output(
    tmp_path: Path, error: Exception, why: str
) -> None:
    with pytest.raises(StudySetError) as caught:
        write(Failing(error), tmp_path / "set", size=32, processes=1)
    assert str(caught.value) == (
        f"source 'gradients' cannot read 00010-0.png ({why}); mend it and run the same command "
        "again"
    )
    assert not list((tmp_path / "set").rglob(".*.tmp"))


def test_an_error_without_a_number_keeps_its_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^no more of this$"), atomic(tmp_path / "x"):
        raise OSError("no more of this")


@pytest.fixture
def films(tmp_path: Path) -> Iterator[Path]:
    """Films of which there are the same in a folder and in fsspec's memory; gives the folder."""
    chance = np.random.default_rng(0)
    store = fsspec.filesystem("memory")
    for number in range(COUNT):
        folder = tmp_path / "films" / f"p{number:02d}"
        folder.mkdir(parents=True)
        pixels = chance.integers(0, 255, (64, 60), np.uint8)
        Image.fromarray(pixels).save(folder / "a.png")
        (folder / "a.txt").write_text(f"No effusion in film {number}.")
        for file in folder.iterdir():
            store.pipe(f"memory://refused/{folder.name}/{file.name}", file.read_bytes())
    yield tmp_path / "films"
    store.rm("/refused", recursive=True)


def refuse(patch: pytest.MonkeyPatch, *names: str) -> None:
    """What S3 does with a film whose owner gave no permission."""
    store = type(fsspec.filesystem("memory"))
    get = store.get_file

    def get_file(self: Any, path: str, *rest: Any, **how: Any) -> Any:
        if any(name in path for name in names):
            raise PermissionError("Forbidden")
        return get(self, path, *rest, **how)

    begin = store.open

    def open_file(self: Any, path: str, *rest: Any, **how: Any) -> Any:
        if any(name in path for name in names):
            raise PermissionError("Forbidden")
        return begin(self, path, *rest, **how)

    patch.setattr(store, "get_file", get_file)
    patch.setattr(store, "open", open_file)


def test_one_film_that_the_store_refuses_goes_to_the_quarantine(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "p03/a.png")
    source = Pairs(root=located("memory://refused"))
    summary = write(source, tmp_path / "set", size=32, processes=1)
    assert (summary.studies, summary.quarantined_images) == (COUNT - 1, 1)
    entry = StudySet.open(tmp_path / "set").quarantine().to_pylist()[0]
    assert entry["path"] == "p03/a.png"
    assert entry["reason"] == (
        "p03/a.png: cannot be opened (the store refuses to give it); check its permission"
    )


def test_a_film_without_a_name_of_films_that_the_store_refuses(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its kind is told by its first bytes, so nobody knows that it is one; as on a disk."""
    store = fsspec.filesystem("memory")
    for name in ("p04/b", "p05/b"):
        store.pipe(f"memory://refused/{name}", store.cat_file("memory://refused/p03/a.png"))
    refuse(monkeypatch, "p04/b")
    source = Pairs(root=located("memory://refused"))
    summary = write(source, tmp_path / "set", size=32, processes=1, duplicates="keep")
    assert (summary.images, summary.quarantined_images) == (COUNT + 1, 0)


def test_a_store_that_refuses_all_stops_the_work_and_continues(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Pairs(root=located("memory://refused"))
    write(source, tmp_path / "whole", size=32, processes=1)
    with monkeypatch.context() as patch:
        refuse(patch, *(f"p{number:02d}/a.png" for number in range(8, COUNT)))
        with pytest.raises(PlaceError, match=r"^p08/a.png: cannot be .* or the credentials and"):
            write(source, tmp_path / "set", size=32, processes=1)
    assert write(source, tmp_path / "set", size=32, processes=1).studies == COUNT
    for file in (tmp_path / "whole").rglob("*.*"):
        assert (tmp_path / "set" / file.relative_to(tmp_path / "whole")).read_bytes() == (
            file.read_bytes()
        )


@pytest.fixture
def little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A ``TMPDIR`` of a few kilobytes, which only root may mount."""
    place = tmp_path / "little"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    monkeypatch.setattr("tempfile.tempdir", str(place))
    _copies.cache_clear()
    yield place
    _copies.cache_clear()
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_place_for_what_is_fetched(films: Path, tmp_path: Path, little: Path) -> None:
    chance = np.random.default_rng(1)
    Image.fromarray(chance.integers(0, 255, (300, 300), np.uint8)).save(tmp_path / "large.png")
    fsspec.filesystem("memory").pipe(
        "memory://refused/p09/a.png", (tmp_path / "large.png").read_bytes()
    )
    with pytest.raises(PlaceError) as caught:
        write(Pairs(root=located("memory://refused")), tmp_path / "set", size=32, processes=1)
    told = str(caught.value)
    assert told.startswith(f"{little}: no space left (No space left on device) for memory://ref")
    assert "name another folder in TMPDIR, and run the same command again" in told
    assert not list(little.rglob("tmp*"))


def test_a_full_place_for_what_is_sent(films: Path, tmp_path: Path, little: Path) -> None:
    with pytest.raises(StudySetError) as caught:
        write(Pairs(root=films), "memory://refused-set", size=60, processes=1)
    told = str(caught.value)
    assert told.startswith(f"{little}/radpair-")
    assert "no space left" in told
    assert "or name another folder in TMPDIR first" in told
    fsspec.filesystem("memory").rm("/refused-set", recursive=True)
