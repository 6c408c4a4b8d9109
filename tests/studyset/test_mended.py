"""An unfinished set looks again at what it could not read; a finished one says what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradients import write_module
from PIL import Image

from radpair.errors import StudySetError
from radpair.places import located
from radpair.sources.pairs import Pairs
from radpair.studyset import Summary, write

pytestmark = pytest.mark.usefixtures("small_parts")
COUNT = 20
BROKEN = "p03/a.png"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of films with their reports, a patient each."""
    chance = np.random.default_rng(0)
    for number in range(COUNT):
        folder = tmp_path / "films" / f"p{number:02d}"
        folder.mkdir(parents=True)
        pixels = chance.integers(0, 255, (64, 60), np.uint8)
        Image.fromarray(pixels).save(folder / "a.png")
        (folder / "a.txt").write_text(f"No effusion in film {number}.")
    return tmp_path / "films"


def ingest(films: Path, out: Path, **options: Any) -> Summary:
    return write(Pairs(root=films), out, **{"size": 48, "processes": 1, **options})


def stop_at_the_tables(films: Path, out: Path) -> None:
    """As a run that was killed when all parts were there."""
    with pytest.MonkeyPatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(write_module(), "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest(films, out)


def cut(file: Path) -> bytes:
    """Leaves the first bytes of a file; returns all of them."""
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    return whole


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("keyed", [False, True])
def test_mended_after_strict_is_as_made_at_once(
    films: Path, tmp_path: Path, processes: int, keyed: bool
) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    options: dict[str, Any] = {"processes": processes, "key": key if keyed else None}
    whole = cut(films / BROKEN)
    for _ in range(2):
        with pytest.raises(StudySetError, match=r"stopped by --strict: .* run the same command"):
            ingest(films, tmp_path / "set", strict=True, **options)
    (films / BROKEN).write_bytes(whole)
    assert ingest(films, tmp_path / "set", strict=True, **options).images == COUNT
    ingest(films, tmp_path / "fresh", **options)
    assert content(tmp_path / "set") == content(tmp_path / "fresh")


def test_mended_on_the_way_to_a_store(films: Path, tmp_path: Path) -> None:
    whole = cut(films / BROKEN)
    url = f"memory://{tmp_path.name}/set"
    with pytest.raises(StudySetError, match="stopped by --strict"):
        write(Pairs(root=films), url, size=48, processes=1, strict=True)
    (films / BROKEN).write_bytes(whole)
    write(Pairs(root=films), url, size=48, processes=1, strict=True)
    ingest(films, tmp_path / "fresh")
    place = located(url)
    for name, data in content(tmp_path / "fresh").items():
        assert (place / name).read_bytes() == data


def test_mended_before_the_end_is_not_in_quarantine(films: Path, tmp_path: Path) -> None:
    whole = cut(films / BROKEN)
    stop_at_the_tables(films, tmp_path / "set")
    (films / BROKEN).write_bytes(whole)
    assert ingest(films, tmp_path / "set").quarantined_images == 0
    ingest(films, tmp_path / "fresh")
    assert content(tmp_path / "set") == content(tmp_path / "fresh")


def test_a_mount_that_was_away_is_looked_at_again(films: Path, tmp_path: Path) -> None:
    """The films go after they were listed, as when a mount is lost between the two."""
    source = Pairs(root=films)
    studies = list(source.studies())

    class Listed(Pairs):
        def studies(self) -> Any:
            return iter(studies)

    for number in range(8, 16):
        (films / f"p{number:02d}").rename(films / f".away{number:02d}")
    with pytest.raises(StudySetError, match=r"p08/a\.png: there is no such file"):
        write(Listed(root=films), tmp_path / "set", size=48, processes=1, strict=True)
    for number in range(8, 16):
        (films / f".away{number:02d}").rename(films / f"p{number:02d}")
    assert ingest(films, tmp_path / "set", strict=True).images == COUNT
    ingest(films, tmp_path / "fresh")
    assert content(tmp_path / "set") == content(tmp_path / "fresh")


def test_a_film_mended_to_the_same_size_and_time_counts_too(films: Path, tmp_path: Path) -> None:
    """As after a fault of the disk, or a permission, that has gone."""
    file = films / BROKEN
    whole, times = file.read_bytes(), file.stat()
    file.write_bytes(bytes(len(whole)))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    stop_at_the_tables(films, tmp_path / "set")
    file.write_bytes(whole)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ingest(films, tmp_path / "set").quarantined_images == 0


def test_another_fault_has_another_reason(films: Path, tmp_path: Path) -> None:
    cut(films / BROKEN)
    stop_at_the_tables(films, tmp_path / "set")
    (films / BROKEN).write_bytes(b"")
    ingest(films, tmp_path / "set")
    ingest(films, tmp_path / "fresh")
    assert content(tmp_path / "set") == content(tmp_path / "fresh")


def test_only_parts_with_something_mended_are_made_again(films: Path, tmp_path: Path) -> None:
    """Among three parts of which two have a damaged film, the one whose film was mended."""
    whole = cut(films / BROKEN)
    cut(films / "p09/a.png")
    stop_at_the_tables(films, tmp_path / "set")
    shards = sorted((tmp_path / "set/pixels").iterdir())
    before = [shard.stat().st_ino for shard in shards]
    (films / BROKEN).write_bytes(whole)
    assert ingest(films, tmp_path / "set").quarantined_images == 1
    after = [shard.stat().st_ino for shard in shards]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True, True]


def test_a_finished_set_stays_and_says_what_to_do(films: Path, tmp_path: Path) -> None:
    whole = cut(films / BROKEN)
    ingest(films, tmp_path / "set")
    before = content(tmp_path / "set")
    (films / BROKEN).write_bytes(whole)
    with pytest.raises(StudySetError, match="delete the folder and run the same command again"):
        ingest(films, tmp_path / "set", strict=True)
    assert content(tmp_path / "set") == before
    assert ingest(films, tmp_path / "set").quarantined_images == 1
