from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from radpair.errors import StudySetError
from radpair.studyset import kept as kept_module
from radpair.studyset.kept import KeptArrays
from radpair.studyset.node_vectors import KIND, VectorTable, kept_vectors

ENTITIES = np.random.default_rng(0).integers(0, 5, 700)
ROWS = np.random.default_rng(1).normal(size=(int(ENTITIES.sum()), 6)).astype(np.float32)
START = np.concatenate([[0], np.cumsum(ENTITIES)])
TABLE = VectorTable({"language": "a"}, len(ENTITIES), 6)


def folder(parent: Path) -> Path:
    (only,) = parent.glob(f"{KIND}-*")
    return only


def compute(first: int, last: int) -> np.ndarray:
    return ROWS[START[first] : START[last]]


def never(first: int, last: int) -> np.ndarray:
    raise AssertionError(f"computed {first} to {last} again")


def killed_at(graph: int) -> Callable[[int, int], np.ndarray]:
    def dies(first: int, last: int) -> np.ndarray:
        if first >= graph:
            raise KeyboardInterrupt
        return compute(first, last)

    return dies


def test_vectors_are_kept_and_found_again(tmp_path: Path) -> None:
    kept = kept_vectors(tmp_path, TABLE, compute)
    wanted = np.array([5, 0, 300, 5])
    assert np.array_equal(kept.take(wanted), ROWS[wanted])
    assert len(kept) == len(ROWS)
    kept.arrays.verify()
    again = kept_vectors(tmp_path, TABLE, never)
    assert np.array_equal(again.take(np.arange(len(ROWS))), ROWS)
    assert sorted(path.name for path in kept.arrays.path.iterdir()) == [
        "arrays.bin",
        "done.json",
        "lock",
        "record.json",
    ]


def test_a_reader_travels_to_other_processes_by_path(tmp_path: Path) -> None:
    kept = kept_vectors(tmp_path, TABLE, compute)
    assert len(pickle.dumps(kept)) < 1000
    assert np.array_equal(copy.deepcopy(kept).take(np.array([7])), ROWS[[7]])


def test_what_was_done_before_a_kill_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        kept_vectors(tmp_path, TABLE, killed_at(512))
    path = folder(tmp_path)
    with pytest.raises(StudySetError, match="not finished"):
        KeptArrays(path)
    with (path / "arrays.part").open("ab") as file:
        file.write(b"half a row")
    begun: list[int] = []

    def rest(first: int, last: int) -> np.ndarray:
        begun.append(first)
        return compute(first, last)

    kept = kept_vectors(tmp_path, TABLE, rest)
    assert begun == [512]
    assert np.array_equal(kept.take(np.arange(len(ROWS))), ROWS)


def test_a_kill_before_the_record_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kept_module, "measure", dies)
        with pytest.raises(KeyboardInterrupt):
            kept_vectors(tmp_path, TABLE, compute)
    kept = kept_vectors(tmp_path, TABLE, never)
    kept.arrays.verify()
    assert np.array_equal(kept.take(np.arange(len(ROWS))), ROWS)


def test_a_lost_part_is_computed_anew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        kept_vectors(tmp_path, TABLE, killed_at(256))
    (folder(tmp_path) / "arrays.part").unlink()
    kept = kept_vectors(tmp_path, TABLE, compute)
    assert np.array_equal(kept.take(np.arange(len(ROWS))), ROWS)


@pytest.mark.parametrize("change", ["identity", "format", "version"])
def test_another_identity_has_a_folder_of_its_own(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_vectors(tmp_path, TABLE, compute)
    if change == "format":
        monkeypatch.setattr(kept_module, "FORMAT", kept_module.FORMAT + 1)
    if change == "version":
        monkeypatch.setattr(kept_module, "__version__", "0.0.0")
    language = "b" if change == "identity" else "a"
    other = VectorTable({"language": language}, len(ENTITIES), 6)
    changed = kept_vectors(tmp_path, other, lambda first, last: -compute(first, last))
    assert np.array_equal(changed.take(np.array([3])), -ROWS[[3]])
    monkeypatch.undo()
    assert np.array_equal(kept_vectors(tmp_path, TABLE, never).take(np.array([3])), ROWS[[3]])


def test_half_the_bits_err_by_a_part_in_two_thousand(tmp_path: Path) -> None:
    half = VectorTable({"language": "a"}, len(ENTITIES), 6, "float16")
    found = kept_vectors(tmp_path, half, compute).take(np.arange(len(ROWS)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ROWS, rtol=2**-11, atol=2**-24)
    assert not np.array_equal(found, ROWS)
    with pytest.raises(StudySetError, match=r"did you mean 'float16'"):
        VectorTable({}, 700, 6, "float61")


def test_damage_is_named(tmp_path: Path) -> None:
    path = kept_vectors(tmp_path, TABLE, compute).arrays.path
    data = bytearray((path / "arrays.bin").read_bytes())
    data[9] ^= 1
    (path / "arrays.bin").write_bytes(data)
    with pytest.raises(StudySetError, match=r"arrays\.bin: was altered"):
        kept_vectors(tmp_path, TABLE, never)
    (path / "arrays.bin").write_bytes(data[:-1])
    with pytest.raises(StudySetError, match=r"arrays\.bin: is not what"):
        kept_vectors(tmp_path, TABLE, never)


def test_graphs_without_entities_have_no_vectors(tmp_path: Path) -> None:
    table = VectorTable({}, 3, 6)
    kept = kept_vectors(tmp_path, table, lambda first, last: np.zeros((0, 6), np.float32))
    assert kept.take(np.zeros(0, np.int64)).shape == (0, 6)
