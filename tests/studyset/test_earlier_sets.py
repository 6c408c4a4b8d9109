"""Sets that are there already: older ones, ones without a manifest, what their source remarked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradients import Gradients
from numpy.typing import NDArray

from radpair.errors import StudySetError
from radpair.records import Study
from radpair.studyset import StudySet, write


def made_before_duplicates(folder: Path) -> None:
    """What a manifest was before duplicates were looked for."""
    write(Gradients(9), folder, size=40, processes=1, duplicates="keep")
    file = folder / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["options"]["duplicates"]
    for name in ("exact_duplicates", "near_duplicates", "near_across_splits"):
        del manifest["counts"][name]
    file.write_text(json.dumps(manifest))


def test_a_set_from_before_duplicates_is_one_that_keeps_them(tmp_path: Path) -> None:
    made_before_duplicates(tmp_path / "set")
    summary = write(Gradients(9), tmp_path / "set", size=40, duplicates="keep")
    assert summary.was_complete
    assert (summary.exact_duplicates, summary.near_across_splits) == (0, 0)
    with pytest.raises(StudySetError) as caught:
        write(Gradients(9), tmp_path / "set", size=40)
    assert "duplicates was 'keep' and is now 'exact'" in str(caught.value)
    assert "give the same options (with --keep-duplicates)" in str(caught.value)
    assert StudySet.open(tmp_path / "set").verify()


def test_the_rule_of_another_set_is_said(tmp_path: Path) -> None:
    write(Gradients(9), tmp_path / "set", size=40, processes=1)
    with pytest.raises(StudySetError, match=r"\(without --near-duplicates and --keep-duplicates\)"):
        write(Gradients(9), tmp_path / "set", size=40, duplicates="near")
    with pytest.raises(StudySetError, match=r"size was 40 and is now 41; give the same options, "):
        write(Gradients(9), tmp_path / "set", size=41)


def test_a_set_without_its_manifest_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write(Gradients(9), tmp_path / "set", size=40, processes=1)
    (tmp_path / "set" / "manifest.json").unlink()
    words = r"its manifest\.json is gone.*put the file back, or delete the folder"
    with pytest.raises(StudySetError, match=words):
        write(Gradients(9), tmp_path / "set", size=40)
    with pytest.raises(StudySetError, match=words):
        StudySet.open(tmp_path / "set")
    assert (tmp_path / "set" / "studies.parquet").is_file()


class Remarking(Gradients):
    """A source that speaks of what it left out, once it was read."""

    def __init__(self) -> None:
        super().__init__(9)
        self.told: list[str] = []

    def studies(self) -> Iterator[Study]:
        self.told = ["Left out 3 files."]
        yield from super().studies()

    def remarks(self) -> list[str]:
        return self.told


def test_remarks_stay_with_the_set(tmp_path: Path) -> None:
    first = write(Remarking(), tmp_path / "set", size=40, processes=1)
    again = write(Remarking(), tmp_path / "set", size=40)
    assert again.was_complete
    assert first.remarks == again.remarks == ("Left out 3 files.",)
    assert str(again).endswith("\nLeft out 3 files.")
    assert StudySet.open(tmp_path / "set").manifest["remarks"] == ["Left out 3 files."]
    write(Gradients(9), tmp_path / "other", size=40, processes=1)
    assert "remarks" not in StudySet.open(tmp_path / "other").manifest


def test_nothing_usable_speaks_of_no_option(tmp_path: Path) -> None:
    class Blank(Gradients):
        def read(self, study: Study, view: int) -> NDArray:
            return super().read(study, view) * 0

    with pytest.raises(StudySetError) as caught:
        write(Blank(3, faults=False), tmp_path / "set", size=40, processes=1)
    assert "no study has a usable image; the first reason: 00000-0.png: blank" in str(caught.value)
    assert "--" not in str(caught.value)
