"""Arrays in a folder: what was written is read, and nothing else is."""

from __future__ import annotations

import copy
import errno
import json
import multiprocessing
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from radpair.errors import StudySetError
from radpair.studyset import kept
from radpair.studyset.kept import KeptArrays, folder_of, kept_arrays, text_hash

ARRAYS = {"odd": np.arange(7, dtype=np.int8), "numbers": np.arange(90_000).reshape(300, 300)}
OF = {"reports": "a"}


def compute() -> dict[str, np.ndarray]:
    return ARRAYS


def never() -> dict[str, np.ndarray]:
    raise AssertionError("computed again")


def same(found: KeptArrays, expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_arrays_are_found_again(tmp_path: Path) -> None:
    same(kept_arrays(tmp_path, "texts", OF, compute), ARRAYS)
    same(kept_arrays(tmp_path, "texts", OF, never), ARRAYS)
    (folder,) = tmp_path.iterdir()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["arrays.bin", "lock", "record.json"]


KINDS = st.sampled_from([np.int8, np.int32, np.int64, np.float16, np.float32])


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5),
        KINDS.flatmap(
            lambda kind: arrays_of.arrays(
                kind, arrays_of.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)
            )
        ),
        max_size=4,
    )
)
def test_arrays_of_any_type_and_shape(arrays: dict[str, np.ndarray]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        same(kept_arrays(Path(folder), "texts", OF, lambda: arrays), arrays)
        same(kept_arrays(Path(folder), "texts", OF, never), arrays)


def test_they_travel_by_path_and_cannot_be_written(tmp_path: Path) -> None:
    found = kept_arrays(tmp_path, "texts", OF, compute)
    assert len(pickle.dumps(found)) < 1000
    same(copy.deepcopy(found), ARRAYS)
    with pytest.raises(ValueError, match="read-only"):
        found["numbers"][0] = 1


@pytest.mark.parametrize("change", ["identity", "format", "version"])
def test_another_identity_has_a_folder_of_its_own(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same(kept_arrays(tmp_path, "texts", OF, compute), ARRAYS)
    if change == "format":
        monkeypatch.setattr(kept, "FORMAT", kept.FORMAT + 1)
    if change == "version":
        monkeypatch.setattr(kept, "__version__", "0.0.0")
    of = {"reports": "b"} if change == "identity" else OF
    other = {"numbers": np.zeros(3)}
    same(kept_arrays(tmp_path, "texts", of, lambda: other), other)
    monkeypatch.undo()
    same(kept_arrays(tmp_path, "texts", OF, never), ARRAYS)


def test_the_hash_of_texts_knows_where_each_ends() -> None:
    hashes = {text_hash(texts) for texts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [])}
    assert len(hashes) == 5


def flip(folder: Path) -> None:
    data = bytearray((folder / "arrays.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "arrays.bin").write_bytes(data)


def cut(folder: Path) -> None:
    os.truncate(folder / "arrays.bin", 100)


def lose(folder: Path) -> None:
    (folder / "arrays.bin").unlink()


def edit(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def edited(folder: Path) -> None:
        record = json.loads((folder / "record.json").read_text())
        change(record)
        (folder / "record.json").write_text(json.dumps(record))

    return edited


def garble(folder: Path) -> None:
    (folder / "record.json").write_text("{")


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        cut,
        lose,
        garble,
        edit(lambda record: record.pop("file")),
        edit(lambda record: record["arrays"].pop("odd")),
        edit(lambda record: record["arrays"]["odd"].update(offset=1)),
        edit(lambda record: record["arrays"]["odd"].update(dtype="<i9")),
        edit(lambda record: record["arrays"]["numbers"].update(shape=[300, 301])),
        edit(lambda record: record["identity"].update(reports="b")),
    ],
)
def test_damage_is_named(damage: Callable[[Path], None], tmp_path: Path) -> None:
    folder = kept_arrays(tmp_path, "texts", OF, compute).path
    damage(folder)
    with pytest.raises(StudySetError, match=r"(arrays\.bin|record\.json): .*"):
        kept_arrays(tmp_path, "texts", OF, never)


def test_a_full_disk_leaves_nothing_that_could_be_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for good in (0, 1, 2, 3):
        left: Iterator[None] = iter([None] * good)

        def full(descriptor: int, left: Iterator[None] = left) -> None:
            if next(left, "full") == "full":
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(StudySetError, match="make space"):
                kept_arrays(tmp_path, "texts", OF, compute)
        assert not list(tmp_path.rglob("*.tmp"))
    same(kept_arrays(tmp_path, "texts", OF, compute), ARRAYS)


def killed(parent: Path, moment: str) -> None:
    """Ends itself without a word in the middle of the arrays, or before their record."""
    if moment == "arrays":
        real, left = os.write, [None] * 2

        def write(descriptor: int, data: memoryview) -> int:
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left.pop()
            return real(descriptor, data[: len(data) // 2 + 1])

        os.write = write
    else:
        kept.measure = lambda path: os.kill(os.getpid(), signal.SIGKILL)
    kept_arrays(parent, "texts", OF, compute)


def process(work: Callable[..., None], *values: object) -> multiprocessing.Process:
    return multiprocessing.get_context("fork").Process(target=work, args=values)


@pytest.mark.parametrize("moment", ["arrays", "record"])
def test_a_killed_writer_leaves_the_work_to_the_next(moment: str, tmp_path: Path) -> None:
    writer = process(killed, tmp_path, moment)
    writer.start()
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    (folder,) = tmp_path.iterdir()
    assert bool(list(folder.glob(".*.tmp"))) == (moment == "arrays")
    with pytest.raises(StudySetError, match="not finished"):
        KeptArrays(folder)
    same(kept_arrays(tmp_path, "texts", OF, compute), ARRAYS)
    assert not list(folder.glob(".*.tmp"))


def slowly(parent: Path, number: int) -> None:
    def computed() -> dict[str, np.ndarray]:
        (parent / f"computed-{number}").touch()
        time.sleep(0.3)
        return ARRAYS

    same(kept_arrays(parent / "cache", "texts", OF, computed), ARRAYS)


def test_one_process_computes_and_the_others_wait(tmp_path: Path) -> None:
    workers = [process(slowly, tmp_path, number) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(list(tmp_path.glob("computed-*"))) == 1


def test_the_folder_is_named_by_the_identity() -> None:
    parent = Path("cache")
    names = [folder_of(parent, "texts", of).name for of in ({"a": 1, "b": 2}, {"b": 2, "a": 1})]
    assert names[0] == names[1] != folder_of(parent, "texts", {"a": 1, "b": 3}).name
