"""What a study set holds, that its bytes do not depend on how it was made, and refusals."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradients import Gradients, write_module
from numpy.typing import NDArray
from PIL import Image

from radpair.errors import RadpairError, StudySetError
from radpair.images import shrink
from radpair.records import Study, View
from radpair.sources import Table
from radpair.studyset import StudySet, write
from radpair.studyset.splits import split_of

pytestmark = pytest.mark.usefixtures("small_parts")


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Changed(Gradients):
    """Gradients with some studies exchanged."""

    def __init__(self, count: int, changes: dict[int, dict[str, Any]]) -> None:
        super().__init__(count, faults=False)
        self.changes = changes

    def studies(self) -> Iterator[Study]:
        for number in range(self.count):
            yield replace(self.study(number), **self.changes.get(number, {}))


def test_set_holds_what_the_source_gave(tmp_path: Path) -> None:
    source = Gradients(60)
    summary = write(source, tmp_path / "set", size=64, processes=1)
    found = StudySet.open(tmp_path / "set")
    kept = [study for study in source.studies() if not _lost(study)]
    assert found.study_ids == [study.study_id for study in kept]
    assert found.patient_ids == [study.patient_id for study in kept]
    assert found.label_names == ("Effusion", "Mass")
    row = 0
    for index, study in enumerate(kept):
        number = int(study.study_id[1:])
        assert found.reports[index] == ("" if number % 7 == 0 else study.report)
        drawn = split_of(study.patient_id, 0, (0.8, 0.1, 0.1))
        assert found.splits[index] == (study.split or drawn)
        assert found.attributes(index) == study.attributes
        np.testing.assert_array_equal(found.labels[index], [number % 3 - 1, np.nan])
        usable = [n for n in range(len(study.views)) if not (number % 11 == 0 and n == 0)]
        assert list(found.images_of(index)) == list(range(row, row + len(usable)))
        for view in usable:
            np.testing.assert_array_equal(found.pixels(row), shrink(source.read(study, view), 64))
            assert found.positions[row] == study.views[view].position
            assert found.image_paths[row] == study.views[view].path
            assert found.image_study[row] == index
            row += 1
    assert row == summary.images == len(found.image_paths)
    assert summary.studies == len(found) == len(kept)
    assert found.source_graphs() == [study.graph for study in kept]


def _lost(study: Study) -> bool:
    return int(study.study_id[1:]) % 11 == 0 and len(study.views) == 1


def test_quarantine_names_every_image_and_report(tmp_path: Path) -> None:
    """Defect 12: nothing unreadable is replaced; it is named and counted."""
    summary = write(Gradients(60), tmp_path / "set", processes=1)
    rows = StudySet.open(tmp_path / "set").quarantine().to_pylist()
    images = {row["path"]: row["reason"] for row in rows if row["kind"] == "image"}
    assert sorted(images) == [f"{n:05d}-0.png" for n in range(0, 60, 11)]
    assert all("is truncated" in reason for reason in images.values())
    reports = {row["study_id"]: row["reason"] for row in rows if row["kind"] == "report"}
    assert sorted(reports) == [f"s{n:05d}" for n in range(0, 60, 7)]
    assert "de-identification marks" in reports["s00014"]
    assert summary.quarantined_images == 6
    assert summary.unusable_reports == 9
    assert summary.studies_left_out == 4
    assert "6 images and 9 reports" in str(summary)


def test_one_and_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    write(Gradients(70), tmp_path / "one", processes=1)
    write(Gradients(70), tmp_path / "two", processes=2, progress=lambda *s: steps.append(s))
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert steps[0] == (0, 70)
    assert steps[-1] == (70, 70)
    assert StudySet.open(tmp_path / "two").verify() == 9 + 4


def test_finished_set_is_left_as_it_is(tmp_path: Path) -> None:
    assert not write(Gradients(20), tmp_path / "set", processes=1).was_complete
    before = content(tmp_path / "set")
    again = write(Gradients(20), tmp_path / "set", processes=1)
    assert again.was_complete
    assert "was complete already" in str(again)
    assert content(tmp_path / "set") == before
    (tmp_path / "set" / "pixels" / "00001.bin").write_bytes(b"")
    with pytest.raises(StudySetError, match=r"00001\.bin: has 0 bytes"):
        write(Gradients(20), tmp_path / "set", processes=1)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size": 64}, "options.size was 320 and is now 64"),
        ({"seed": 3}, "options.seed was 0 and is now 3"),
        ({"fractions": (0.5, 0.25, 0.25)}, "options.fractions"),
        ({"source": Gradients(21)}, "source.options.count was 20 and is now 21"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_other_options_are_refused(
    tmp_path: Path, options: dict[str, Any], named: str, finished: bool
) -> None:
    out = tmp_path / "set"
    if finished:
        write(Gradients(20), out, processes=1)
    else:
        _stop_at_the_tables(out)
    before = content(out)
    with pytest.raises(StudySetError, match=named):
        write(**{"source": Gradients(20), "out": out, "processes": 1, **options})
    assert content(out) == before


def _stop_at_the_tables(out: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(write_module(), "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            write(Gradients(20), out, processes=1)


def test_unfinished_set_says_what_to_do(tmp_path: Path) -> None:
    _stop_at_the_tables(tmp_path / "set")
    with pytest.raises(StudySetError, match="not finished; run the same ingest command again"):
        StudySet.open(tmp_path / "set")


def test_strict_stops_and_a_clean_source_passes(tmp_path: Path) -> None:
    with pytest.raises(StudySetError, match=r"--strict: 00000-0\.png: is truncated"):
        write(Gradients(20), tmp_path / "a", processes=1, strict=True)
    with pytest.raises(StudySetError, match=r"strict allows no quarantine and 0 images and 1 rep"):
        write(Changed(9, {3: {"report": " "}}), tmp_path / "b", processes=1, strict=True)
    summary = write(Gradients(20, faults=False), tmp_path / "c", processes=1, strict=True)
    assert summary.studies == 20


def test_set_of_images_only_has_no_missing_reports(tmp_path: Path) -> None:
    source = Changed(9, {n: {"report": ""} for n in range(9)})
    summary = write(source, tmp_path / "set", processes=1, strict=True)
    assert summary.unusable_reports == 0
    assert StudySet.open(tmp_path / "set").quarantine().num_rows == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({5: {"study_id": "s00002"}}, "study id 's00002' twice"),
        ({4: {"split": "train"}, 5: {"split": "test"}}, "patient 'p00001' is in two splits"),
        ({4: {"split": "holdout"}}, "'holdout', which is none of"),
    ],
)
def test_contradictions_of_a_source_are_refused(
    tmp_path: Path, changes: dict[int, dict[str, Any]], reason: str
) -> None:
    with pytest.raises(StudySetError, match=reason):
        write(Changed(8, changes), tmp_path / "set", processes=1)


def test_study_without_views_is_left_out_with_its_reason(tmp_path: Path) -> None:
    summary = write(Changed(9, {4: {"views": ()}}), tmp_path / "set", processes=1)
    assert (summary.studies, summary.studies_left_out) == (8, 1)
    (row,) = StudySet.open(tmp_path / "set").quarantine().to_pylist()
    assert row == {
        "kind": "image",
        "path": "",
        "study_id": "s00004",
        "row": None,
        "reason": "the study has no image",
    }


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudySetError, match="holds no study"):
        write(Gradients(0), tmp_path / "a", processes=1)
    nothing = Changed(3, {n: {"views": ()} for n in range(3)})
    with pytest.raises(StudySetError, match="no study has a usable image; the first reason"):
        write(nothing, tmp_path / "b", processes=1)


class Wrong(Gradients):
    def read(self, study: Study, view: int) -> NDArray[Any]:
        return np.zeros((64, 64, 3), np.float32)


def test_source_with_other_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudySetError, match=r"gave float32 \(64, 64, 3\)"):
        write(Wrong(4), tmp_path / "set", processes=1)


def test_foreign_folders_and_files_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear to me")
    with pytest.raises(StudySetError, match=r"is not empty \(it holds thesis.tex\)"):
        write(Gradients(4), tmp_path, processes=1)
    with pytest.raises(StudySetError, match="is a file"):
        write(Gradients(4), tmp_path / "thesis.tex", processes=1)
    assert content(tmp_path) == {"thesis.tex": b"dear to me"}


def test_disk_that_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("radpair.studyset.files.os.write", refuse)
    with pytest.raises(StudySetError, match="Read-only file system, so the study set"):
        write(Gradients(4), tmp_path / "set", processes=1)


@pytest.mark.parametrize("fractions", [(0.8, 0.3, 0.1), (1.1, -0.1, 0.0), (0.5, 0.5)])
def test_impossible_options_are_refused(tmp_path: Path, fractions: tuple[float, ...]) -> None:
    with pytest.raises(StudySetError, match="sum to 1"):
        write(Gradients(4), tmp_path / "set", fractions=fractions)
    with pytest.raises(StudySetError, match="size 8: give 32 to 10000"):
        write(Gradients(4), tmp_path / "set", size=8)


def test_second_writer_is_kept_away(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "set").mkdir()
    handle = os.open(tmp_path / "set", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StudySetError, match="another process is writing"):
        write(Gradients(4), tmp_path / "set", processes=1)
    os.close(handle)
    write(Gradients(4), tmp_path / "set", processes=1)


def test_full_disk_is_said_and_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real write call fails once so many bytes have gone through it."""
    room = [90_000]
    real = os.write

    def limited(handle: int, data: Any) -> int:
        room[0] -= len(data)
        if room[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, data)

    monkeypatch.setattr("radpair.studyset.files.os.write", limited)
    out = tmp_path / "set"
    with pytest.raises(StudySetError, match=r"no space left.*kept: make space.*MB more are needed"):
        write(Gradients(70), out, processes=1)
    kept = sorted((out / "pixels").iterdir())
    assert kept
    assert not list(out.rglob("*.tmp"))
    times = [path.stat().st_mtime_ns for path in kept]
    monkeypatch.undo()
    monkeypatch.setattr(write_module(), "PART", 8)
    write(Gradients(70), out, processes=1)
    assert [path.stat().st_mtime_ns for path in kept] == times
    write(Gradients(70), tmp_path / "whole", processes=1)
    assert content(out) == content(tmp_path / "whole")


def test_manifest_tells_what_went_in(tmp_path: Path) -> None:
    write(Gradients(20), tmp_path / "set", processes=1)
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["source"] == {"name": "gradients", "options": {"count": 20, "faults": True}}
    assert manifest["options"]["size"] == 320
    assert "0 black (air) to 255 white (dense)" in manifest["pixels"]
    names = content(tmp_path / "set").keys() - {"manifest.json"}
    assert manifest["files"].keys() == names


def test_table_of_files_reaches_the_set(tmp_path: Path) -> None:
    """Decoding happens in the workers; reasons name images by their relative path."""
    chance = np.random.default_rng(0)
    rows = ["image,patient,report"]
    for number in range(12):
        pixels = chance.integers(0, 255, (200, 150), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,p{number},report {number}")
    (tmp_path / "3.png").write_bytes(b"")
    (tmp_path / "5.png").unlink()
    rows[8] = rows[8].replace("report 7", "___")
    (tmp_path / "t.csv").write_text("\n".join(rows))
    table = Table(
        file=tmp_path / "t.csv",
        root=tmp_path,
        image_column="image",
        patient_column="patient",
        text_column="report",
    )
    summary = write(table, tmp_path / "set", size=64, processes=2)
    assert (summary.studies, summary.quarantined_images) == (10, 2)
    found = StudySet.open(tmp_path / "set")
    assert found.pixels(0).shape == (85, 64)
    entries = found.quarantine().to_pylist()
    assert [(entry["kind"], entry["path"], entry["row"]) for entry in entries] == [
        ("image", "3.png", 5),
        ("image", "5.png", 7),
        ("report", "7.png", 9),
    ]
    assert entries[0]["reason"].startswith("3.png: is empty")
    assert entries[1]["reason"].startswith("5.png: there is no such file")


class Deadly(Gradients):
    """Kills the process that reads it, as the kernel does when memory runs out."""

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        if study.study_id == "s00013":
            os._exit(9)
        return super().read(study, view)


def test_killed_worker_is_said_and_survived(tmp_path: Path) -> None:
    with pytest.raises(StudySetError, match="a worker process was killed, near study 's000"):
        write(Deadly(30), tmp_path / "set", processes=2)


def test_study_rows_may_have_several_views(tmp_path: Path) -> None:
    views = (View("a.png", "PA"), View("b.png"))
    write(Changed(2, {1: {"views": views}}), tmp_path / "set", processes=1)
    found = StudySet.open(tmp_path / "set")
    assert found.image_paths[-2:] == ["a.png", "b.png"]
    assert found.image_count.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"processes": 0}, "--processes 0: give 1 or more"),
        ({"processes": -1}, "--processes -1: give 1 or more"),
        ({"processes": 1025}, "--processes 1025: give 1 or more, up to 1,024"),
        ({"size": 16}, "--size 16: give 32 to 10000 pixels"),
        ({"size": 1_000_000}, "--size 1000000: give 32 to 10000 pixels"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(
    tmp_path: Path, options: dict[str, int], words: str
) -> None:
    with pytest.raises(RadpairError, match=words):
        write(Gradients(3), tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()
