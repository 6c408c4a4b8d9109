"""MIMIC-CXR, both releases, beside a slow reading of the fake's own list of studies."""

from __future__ import annotations

import gzip
import math
import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from radpair.errors import SourceError
from radpair.records import Study
from radpair.sources.mimic_cxr import MimicCxr
from radpair.studyset import StudySet, write
from sources.fakes.mimic_cxr import NAMES, fake_studies, make, write_table

METADATA = "mimic-cxr-2.0.0-metadata.csv"
SPLIT = "mimic-cxr-2.0.0-split.csv"
WORDS = {"PA": "PA", "AP": "AP", "LATERAL": "LATERAL", "LL": "LATERAL", "XTABLE LATERAL": "LATERAL"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("mimic") / "jpg")


@pytest.fixture
def copy(release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(release, tmp_path / "copy")


def expected(suffix: str = ".jpg") -> list[tuple[object, ...]]:
    """Every study as the fake's list says."""
    found = []
    for study in fake_studies():
        views = tuple(
            (f"{study.folder}/s{study.study}/{image}{suffix}", WORDS.get(view, ""))
            for image, view in study.images
        )
        labels = [float(v) if v else None for v in study.labels or [""] * len(NAMES)]
        found.append(
            (study.study, study.patient, study.split, views, (study.report or "").strip(), labels)
        )
    return found


def seen(study: Study) -> tuple[object, ...]:
    labels = [None if math.isnan(study.labels[name]) else study.labels[name] for name in NAMES]
    views = tuple((view.path, view.position) for view in study.views)
    return (study.study_id, study.patient_id, study.split, views, study.report, labels)


def refused(root: Path, *parts: str, **options: object) -> None:
    with pytest.raises(SourceError) as caught:
        list(MimicCxr(root=root, **options).studies())  # type: ignore[arg-type]
    message = str(caught.value)
    for part in parts:
        assert part in message, message
    assert "\n" not in message


def rewrite(folder: Path, name: str, old: str, new: str, count: int = 1) -> None:
    file = folder / (name + ".gz")
    text = gzip.decompress(file.read_bytes()).decode()
    assert old in text
    file.write_bytes(gzip.compress(text.replace(old, new, count).encode()))


def test_the_jpg_release(release: Path) -> None:
    assert [seen(study) for study in MimicCxr(root=release).studies()] == expected()


def test_rows_in_any_order_give_the_same_studies(copy: Path) -> None:
    file = copy / (METADATA + ".gz")
    header, *rows = gzip.decompress(file.read_bytes()).decode().splitlines()
    shuffled = [row for start in range(3) for row in rows[start::3]]
    assert shuffled != rows
    file.write_bytes(gzip.compress("\n".join([header, *shuffled]).encode()))

    def unordered(studies: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        return sorted((*s[:3], sorted(s[3]), *s[4:]) for s in studies)  # type: ignore[type-var, call-overload]

    found = [seen(study) for study in MimicCxr(root=copy).studies()]
    assert unordered(found) == unordered(expected())


def test_the_dicom_release_with_reports_in_their_archive(tmp_path: Path) -> None:
    root = make(tmp_path / "dicom", ".dcm", reports="zip", gzipped=False)
    source = MimicCxr(root=root, metadata=tmp_path / "tables")
    assert [seen(study) for study in source.studies()] == expected(".dcm")
    refused(root, "is the DICOM release", "physionet.org/content/mimic-cxr-jpg", "--metadata")
    summary = write(source, tmp_path / "set", size=32, processes=1)
    assert summary.images == sum(len(study.images) for study in fake_studies())
    assert summary.quarantined_images == 0


def test_reports_elsewhere_and_none_at_all(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for file in copy.glob("files/*/*/*.txt"):
        place = tmp_path / "reports" / "mimic-cxr-reports" / file.relative_to(copy)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
    refused(copy, "has no reports", "mimic-cxr-reports.zip", "--reports", "--images-only")
    top = tmp_path / "reports"
    for place in (top, top / "mimic-cxr-reports", top / "mimic-cxr-reports" / "files"):
        found = [seen(study) for study in MimicCxr(root=copy, reports=place).studies()]
        assert found == expected()
    alone = MimicCxr(root=copy, images_only=True, labels="none").studies()
    assert all(not study.report and not study.labels for study in alone)


def test_labels_of_others(release: Path) -> None:
    chosen = {kind: MimicCxr(root=release, labels=kind) for kind in ("negbio", "readers")}  # type: ignore[arg-type]
    by_study = {study.study: study for study in fake_studies()}
    last = list(fake_studies())[-1].study
    for study in chosen["negbio"].studies():
        fake = by_study[study.study_id]
        given = fake.labels if fake.labels and fake.study != last else [""] * len(NAMES)
        assert seen(study)[-1] == [float(v) if v else None for v in given]
    for study in chosen["readers"].studies():
        fake = by_study[study.study_id]
        given = fake.labels if fake.labels and fake.split == "test" else [""] * len(NAMES)
        assert seen(study)[-1] == [float(v) if v else None for v in given]


def test_from_folder_to_study_set(copy: Path, tmp_path: Path) -> None:
    pair = next(fake for fake in fake_studies() if len(fake.images) > 1)
    (copy / pair.folder / f"s{pair.study}" / f"{pair.images[0][0]}.jpg").unlink()
    summary = write(MimicCxr(root=copy), tmp_path / "set", size=32, processes=1)
    assert summary.quarantined_images == 1
    assert summary.unusable_reports == 1
    studies = StudySet.open(tmp_path / "set")
    splits = defaultdict(set)
    for fake in fake_studies():
        splits[fake.patient].add(fake.split)
    assert summary.patients == len(splits)
    assert {tuple(names) for names in splits.values()} == {("train",), ("validate",), ("test",)}
    for fake in fake_studies():
        if fake.study in studies.study_ids:
            assert studies.splits[studies.study_ids.index(fake.study)] == fake.split
    again = write(MimicCxr(root=copy), tmp_path / "set", size=32, processes=1)
    assert again.was_complete


def test_a_part_of_the_files_will_do(copy: Path, tmp_path: Path) -> None:
    kept = {f"p{fake.patient[:2]}" for fake in fake_studies()}
    for folder in sorted(kept)[:-1]:
        shutil.rmtree(copy / "files" / folder)
    for number, place in enumerate((copy, copy / "files")):
        source = MimicCxr(root=copy, reports=place)
        summary = write(source, tmp_path / f"set{number}", size=32, processes=1)
        assert summary.studies == sum(f"p{f.patient[:2]}" == max(kept) for f in fake_studies())


def test_missing_tables_name_what_to_download(copy: Path, tmp_path: Path) -> None:
    refused(copy.parent, "give that folder as ROOT", str(copy))
    refused(copy, "nowhere: has no", "download", metadata=copy / "nowhere")
    (copy / (METADATA + ".gz")).rename(tmp_path / "m")
    refused(copy, f"has no {METADATA}", f"download {METADATA}.gz from", "mimic-cxr-jpg")
    (tmp_path / "m").rename(copy / (METADATA + ".gz"))
    (copy / (SPLIT + ".gz")).unlink()
    refused(copy, f"has no {SPLIT}")


def test_missing_labels_and_other_releases(copy: Path, tmp_path: Path) -> None:
    (copy / "mimic-cxr-2.0.0-chexpert.csv.gz").unlink()
    refused(copy, "mimic-cxr-2.0.0-chexpert.csv", "--labels none")
    old = tmp_path / "old"
    old.mkdir()
    write_table(old / "train.csv", [("path", "view")], False)
    write_table(old / "valid.csv", [("path", "view")], False)
    refused(old, "version 1 or another dataset")


def test_no_image_at_all(copy: Path) -> None:
    shutil.rmtree(copy / "files")
    refused(copy, "not one image of the metadata is there", "files/p10/p10000032/s50414267/")
    write_table(copy / METADATA, [("dicom_id", "subject_id", "study_id", "ViewPosition")], False)
    refused(copy, "has no rows")


def test_tables_that_disagree(copy: Path) -> None:
    first = next(fake_studies())
    rewrite(copy, SPLIT, f"{first.patient},train", f"{first.patient},training")
    refused(copy, SPLIT, "row 2", "the split 'training'")
    rewrite(copy, SPLIT, f"{first.patient},training", "10000099,train")
    refused(copy, METADATA, "row 2", f"patient '{first.patient}' is not in")
    second = list(fake_studies())[1]
    rewrite(copy, SPLIT, f"{second.patient},train", f"{second.patient},test")
    refused(copy, SPLIT, f"patient '{second.patient}' is in test and in train")


def test_ids_that_are_none(copy: Path) -> None:
    study = next(fake for fake in fake_studies() if len(fake.images) > 1)
    image = study.images[1][0]
    rewrite(copy, METADATA, f"{image},{study.patient}", f"{image},10000099")
    refused(copy, METADATA, f"study '{study.study}' belongs to patient")
    rewrite(copy, METADATA, f"{image},10000099", f"../../{image},{study.patient}")
    refused(copy, METADATA, "are not those of MIMIC-CXR")


def test_damaged_reports(copy: Path, tmp_path: Path) -> None:
    file = next(iter(sorted(copy.glob("files/*/*/*.txt"))))
    file.write_bytes(b"FINDINGS: caf\xe9")
    refused(copy, file.name, "is not UTF-8 text (byte 13)")
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    refused(copy, "bad.zip: cannot be read as a zip archive", reports=tmp_path / "bad.zip")


def test_impossible_options(release: Path) -> None:
    refused(release, "labels is 'chexbert'; give one of chexpert", labels="chexbert")
    assert MimicCxr(root=str(release), metadata=str(release)).tables()  # type: ignore[arg-type]
