"""Opening a set: completeness, hashes, disjoint splits, pickling, forking."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from gradients import Gradients

from radpair.errors import StudySetError
from radpair.studyset import StudySet, content_hash, write
from radpair.studyset import read as read_module


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("read") / "set"
    write(Gradients(40), out, size=48, processes=1)
    return out


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "set")
    return tmp_path / "set"


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(StudySetError, match="there is no study set here"):
        StudySet.open(tmp_path / "nowhere")
    with pytest.raises(StudySetError, match="is not a study set"):
        StudySet.open(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(json.loads((folder / "manifest.json").read_text())["files"])


def test_every_missing_or_cut_file_is_named(folder: Path) -> None:
    for name in names(folder):
        data = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(StudySetError, match=f"{name}: is missing"):
            StudySet.open(folder)
        (folder / name).write_bytes(data[:-1])
        with pytest.raises(StudySetError, match=f"{name}: has {len(data) - 1:,} bytes where"):
            StudySet.open(folder)
        (folder / name).write_bytes(data)
    assert len(StudySet.open(folder)) > 0


def test_every_changed_byte_is_found(folder: Path) -> None:
    found = StudySet.open(folder)
    assert found.verify() == len(names(folder))
    for name in names(folder):
        data = (folder / name).read_bytes()
        changed = bytearray(data)
        changed[len(data) // 2] ^= 4
        (folder / name).write_bytes(changed)
        with pytest.raises(StudySetError, match=f"{name}: was altered"):
            found.verify()
        (folder / name).write_bytes(data)


def test_damaged_manifest_is_named(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text[:-20])
    with pytest.raises(StudySetError, match=r"manifest\.json: cannot be read"):
        StudySet.open(folder)
    (folder / "manifest.json").write_text(text.replace('"format": 1', '"format": 99'))
    with pytest.raises(StudySetError, match="has format 99"):
        StudySet.open(folder)


def test_patient_in_two_splits_is_refused_at_opening(folder: Path) -> None:
    """Defects 8 and 19: asserted on ids at load time.

    The set is altered with its manifest, so that only the splits themselves can tell.
    """
    table = pq.read_table(folder / "studies.parquet")
    splits = table["split"].to_pylist()
    patients = table["patient_id"].to_pylist()
    twice = next(p for p in patients if patients.count(p) > 1)
    row = patients.index(twice)
    splits[row] = "test" if splits[row] != "test" else "train"
    column = table.schema.get_field_index("split")
    pq.write_table(table.set_column(column, "split", [splits]), folder / "studies.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    size = (folder / "studies.parquet").stat().st_size
    manifest["files"]["studies.parquet"]["bytes"] = size
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StudySetError, match=f"patient '{twice}' is in two splits"):
        StudySet.open(folder)


def test_splits_partition_the_studies(original: Path) -> None:
    found = StudySet.open(original)
    parts = [found.split(name) for name in ("train", "validate", "test")]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(found)))
    patients = [{found.patient_ids[i] for i in part} for part in parts]
    assert not patients[0] & patients[1]
    assert not patients[0] & patients[2]
    assert not patients[1] & patients[2]
    with pytest.raises(StudySetError, match="did you mean 'validate'"):
        found.split("validation")


def test_pixels_are_read_only_views(original: Path) -> None:
    pixels = StudySet.open(original).pixels(0)
    assert pixels.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        pixels[0, 0] = 1


def test_few_shards_stay_open(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradients import write_module

    monkeypatch.setattr(write_module(), "PART", 4)
    write(Gradients(40), tmp_path / "set", size=48, processes=1)
    many, one = StudySet.open(tmp_path / "set"), StudySet.open(original)
    monkeypatch.setattr(read_module, "OPEN_SHARDS", 2)
    images = np.random.default_rng(0).permutation(len(one.image_paths))
    kept = [(image, many.pixels(image)) for image in images]
    for image, pixels in kept:
        np.testing.assert_array_equal(pixels, one.pixels(image))
    assert len(many._shards) <= 2


def test_pickled_set_reads_the_same(original: Path) -> None:
    found = StudySet.open(original)
    found.pixels(0)
    packed = pickle.dumps(found)
    assert len(packed) < 1000
    copy = pickle.loads(packed)  # noqa: S301
    np.testing.assert_array_equal(copy.pixels(3), found.pixels(3))
    assert copy.study_ids == found.study_ids


def test_forked_processes_read_the_same(original: Path) -> None:
    found = StudySet.open(original)
    sums = [int(found.pixels(i).sum()) for i in range(20)]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def child(first: int) -> None:
        queue.put((first, [int(found.pixels(i).sum()) for i in range(first, 20)]))
        queue.close()
        queue.join_thread()
        os._exit(0)

    for first in (0, 10):
        process = context.Process(target=child, args=(first,))
        process.start()
        got = queue.get(timeout=20)
        process.join(20)
        assert got == (first, sums[first:])


def test_content_hash_follows_the_content(original: Path, tmp_path: Path) -> None:
    first = content_hash(StudySet.open(original))
    shutil.copytree(original, tmp_path / "moved")
    assert content_hash(StudySet.open(tmp_path / "moved")) == first
    write(Gradients(40, faults=False), tmp_path / "other", size=48, processes=1)
    assert content_hash(StudySet.open(tmp_path / "other")) != first
    assert len(first) == 16
