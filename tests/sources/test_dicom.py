"""Trees of DICOM files: studies, patients, reports, what is left out, and what is kept private."""

from __future__ import annotations

import csv
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from radpair.cli import main
from radpair.errors import WorkerError
from radpair.records import Study, View
from radpair.sources import header_scan as module
from radpair.sources.dicom import Dicom
from radpair.studyset import StudySet, write
from sources.fakes.dicom import PRIVATE, make
from sources.fakes.dicoms import dicom_file
from sources.source_checks import ingested, paths, refused, rows

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "dicom"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "export")


def read(root: Path, **options: Any) -> dict[str, Study]:
    return {study.study_id: study for study in Dicom(root=root, **options).studies()}


def stop(root: Path, *parts: str, **options: Any) -> None:
    refused(lambda: read(root, **options), *parts)


def test_studies_are_brought_together_across_folders(root: Path) -> None:
    source = Dicom(root=root)
    studies = {study.study_id: study for study in source.studies()}
    assert list(studies) == [
        *("1.2.1", "1.2.2", "1.2.3", "1.2.6", "d/2.dcm"),
        *("d/empty.dcm", "d/truncated.dcm", "d/words.dcm"),
    ]
    first = studies["1.2.1"]
    assert first.views == (
        View("a/IM0001", "PA"),
        View("a/IM0002", "LATERAL"),
        View("b/x.jpg", "AP"),
    )
    assert first.patient_id == studies["1.2.3"].patient_id == "P1"
    assert first.attributes == {"sex": "F", "age": "90", "modality": "DX"}
    assert studies["1.2.2"].patient_id == "P2"
    assert studies["1.2.2"].views[0] == View("b/y.dcm", "")
    assert "is not that of the other files" in studies["1.2.2"].views[1].fault
    assert studies["1.2.6"].patient_id == "study 1.2.6"
    assert studies["d/2.dcm"].patient_id == "folder d"
    assert source.remarks() == [
        "Left out 3 files: 1 not DICOM, 1 of modality CT, 1 without modality.",
        "1 studies have no PatientID: their study stands for the patient.",
        "1 studies have no PatientID: their folder stands for the patient.",
    ]


def test_each_header_is_read_once_a_write(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pseudonyms and strata ask for the studies again; a later write looks at the tree anew."""
    read_paths: list[Path] = []
    original = module.read_header

    def counted(path: Path) -> object:
        read_paths.append(path)
        return original(path)

    monkeypatch.setattr(module, "read_header", counted)
    (tmp_path / "key").write_text("0123456789abcdef0")
    source = Dicom(root=root, reports=tmp_path / "reports.csv")
    plain = write(source, tmp_path / "plain", size=32, processes=1)
    once = len(read_paths)
    assert once == len(set(read_paths)) > 10
    named = write(source, tmp_path / "named", size=32, processes=1, key=tmp_path / "key")
    assert len(read_paths) == 2 * once
    assert named.remarks == plain.remarks
    assert len(plain.remarks) == 4
    with source.kept():
        first, again = list(source.studies()), list(source.studies())
    assert first == again == list(source.studies())
    assert len(read_paths) == 4 * once


def test_ingest_quarantines_with_reasons_and_keeps_nothing_private(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "set"
    source = Dicom(root=root, reports=tmp_path / "reports.csv")
    studies = ingested(source, out)
    assert isinstance(studies, StudySet)
    reports = {row["study_id"]: row["report"] for row in rows(out, "studies")}
    assert reports["1.2.1"] == "Clear lungs."
    assert reports["1.2.2"] == "Small left effusion."
    assert reports["1.2.3"] == reports["1.2.6"] == ""
    assert "1 of 3 reports belong to no study" in source.remarks()[-1]
    reasons = {r["path"]: str(r["reason"]) for r in rows(out, "quarantine") if r["kind"] == "image"}
    for path, reason in {
        "d/truncated.dcm": "cut off before it says what it is",
        "d/words.dcm": "is not DICOM although its name says so",
        "d/empty.dcm": "is not DICOM although its name says so",
        "e/1.dcm": "is not that of the other files",
    }.items():
        assert reason in reasons.pop(path)
    assert not reasons
    content = b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())
    for value in (*PRIVATE.values(), "093Y", "A1", str(root)):
        assert value.encode() not in content


@pytest.mark.parametrize("key", ["accession", "study-uid"])
def test_reports_are_found_by_either_key(root: Path, tmp_path: Path, key: Any) -> None:
    table = tmp_path / "t.csv"
    uids = {"accession": ("A1", "A3"), "study-uid": ("1.2.1", "1.2.3")}[key]
    table.write_text(f"key,findings,impression\n{uids[0]},Clear.,Normal.\n{uids[1]},,Effusion.\n")
    columns = {"key_column": "key", "text_column": ("findings", "impression")}
    found = read(root, reports=table, report_key=key, **columns)
    assert found["1.2.1"].report == "FINDINGS: Clear.\n\nIMPRESSION: Normal."
    assert found["1.2.3"].report == "IMPRESSION: Effusion."
    names = {"accession": "Accession_No.", "study-uid": "StudyInstanceUID"}
    table.write_text(table.read_text().replace("key,", f"{names[key]},"))
    assert found == read(root, reports=table, report_key=key, text_column=columns["text_column"])
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / f"{uids[0]}.txt").write_text("Clear.")
    assert read(root, reports=folder, report_key=key)["1.2.1"].report == "Clear."


def test_modalities_and_patients_can_be_told_otherwise(root: Path) -> None:
    assert "1.2.4" in read(root, modalities=("ct",))
    assert {"1.2.4", "1.2.5"} <= read(root, modalities=("all",)).keys()
    pattern = read(root, patient_pattern="^([^/]+)/")
    assert pattern["1.2.3"].patient_id == "c"
    assert [bool(view.fault) for view in pattern["1.2.1"].views] == [False, False, True]


def test_several_frames_need_a_choice(tmp_path: Path) -> None:
    file = tmp_path / "export" / "several"
    dicom_file(file, StudyInstanceUID="1.2", PatientID="P")
    from pydicom import dcmread

    data = dcmread(file)
    data.NumberOfFrames = 2
    data.PixelData = data.PixelData + bytes(len(data.PixelData) - 2) + b"\xff\xff"
    data.save_as(file)
    dicom_file(file.with_name("single"), StudyInstanceUID="1.3", PatientID="Q")
    write(Dicom(root=file.parent), tmp_path / "none", size=32, processes=1)
    (entry,) = rows(tmp_path / "none", "quarantine")
    assert "holds 2 frames" in str(entry["reason"])
    chosen = Dicom(root=file.parent, frame=2)
    assert write(chosen, tmp_path / "second", size=32, processes=1).images == 2
    assert StudySet.open(tmp_path / "second").pixels(0).mean() < 1, "the second frame is dark"
    stop(file.parent, "frame is 0", frame=0)


def test_many_headers_are_read_by_processes_in_the_same_order(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 3)
    assert read(root, header_processes=2) == read(root, header_processes=1)
    source = Dicom(root=root)
    given = list(source.studies())
    again = pickle.loads(pickle.dumps(source))  # noqa: S301
    assert again.remarks() == []
    assert list(again.studies()) == given
    assert "header_processes" not in source.options()


def test_a_placeholder_for_everyone_is_told(tmp_path: Path) -> None:
    root = tmp_path / "export"
    for number in range(20):
        dicom_file(root / f"{number}", StudyInstanceUID=f"1.{number}", PatientID="ANON")
    source = Dicom(root=root)
    assert len(list(source.studies())) == 20
    (told,) = source.remarks()
    assert "One PatientID is that of 20 of 20 studies" in told
    assert "ANON" not in told


def test_faults_are_named(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "reports.csv"
    stop(root, "report-key is 'mrn'", report_key="mrn")
    stop(root, "no modality was named", modalities=())
    with pytest.raises(WorkerError, match="--header-processes 0: give 1 or more"):
        Dicom(root=root, header_processes=0)
    stop(root, "give --reports too", key_column="x")
    stop(root, "is no regular expression", patient_pattern="(")
    stop(root, "a/IM0001", "finds no patient", patient_pattern="PAT([0-9]+)")
    stop(root, "no column's name says", "--key-column", reports=table, report_key="study-uid")
    stop(root, "none of its 3 reports", reports=table, report_key="study-uid", key_column="text")
    stop(
        root,
        "no DICOM file of modality MG",
        "7 of modality DX",
        "give --modalities",
        modalities=("MG",),
    )
    stop(tmp_path / "gone", "is no folder")
    (tmp_path / "bare").mkdir()
    stop(tmp_path / "bare", "holds no files")
    table.write_text("AccessionNumber,text\nA1,one\nA1,two\n")
    stop(root, "the id 'A1' stands in row 2 and in row 3", reports=table)


def test_the_verb_tells_what_was_left_out(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "set")
    given = ["--size", "32", "--processes", "1", "--reports", str(tmp_path / "reports.csv")]
    main(["ingest", "dicom", str(root), "--out", out, *given])
    printed = capsys.readouterr().out
    assert "5 studies of 4 patients, 7 images" in printed
    assert "Left out 3 files: 1 not DICOM, 1 of modality CT, 1 without modality." in printed


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared DICOM files are not here")
def test_real_files_are_stored_or_quarantined(tmp_path: Path) -> None:
    with (SHARED / "samples.csv").open() as file:
        listed = {row["path"]: row for row in csv.DictReader(file)}
    views = [view for study in read(SHARED).values() for view in study.views]
    taken = {view.path for view in views if not view.fault}
    assert [view.path for view in views if view.fault] == ["robustness/no_meta_group_length.dcm"]
    assert taken == {path for path, row in listed.items() if row["modality"] in ("CR", "DX")}
    everything = Dicom(root=SHARED, modalities=("all",), frame=1)
    write(everything, tmp_path / "set", size=64, processes=1)
    stored = {row["path"] for row in rows(tmp_path / "set", "images")}
    kept_out = {row["path"] for row in rows(tmp_path / "set", "quarantine")}
    assert stored | kept_out == set(listed)
    assert kept_out >= {path for path in listed if "Error" in listed[path]["pixels"]}
    film = next(study for study in everything.studies() if len(study.views) == 2)
    images = rows(tmp_path / "set", "images")
    places = [next(n for n, row in enumerate(images) if row["path"] == p) for p in paths(film)]
    twins = [StudySet.open(tmp_path / "set").pixels(place) for place in places]
    assert abs(twins[0].astype(int) + twins[1] - 255).max() <= 1, "MONOCHROME1 beside its twin"


def test_links_do_not_make_a_walk_endless(root: Path, tmp_path: Path) -> None:
    expected = read(root)
    (root / "z").symlink_to(root)
    (root / "y").symlink_to("y")
    (root / "w.dcm").symlink_to(tmp_path / "nowhere")
    found = read(root)
    assert found.keys() - expected.keys() == {"w.dcm", "y"}
    assert all("cannot be opened" in found[name].views[0].fault for name in ("w.dcm", "y"))
    shutil.rmtree(root / "a")
    assert [view.path for view in read(root)["1.2.1"].views] == ["b/x.jpg"]
