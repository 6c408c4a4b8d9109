"""Open-i: reports with their images, codes as labels, and the real reports where they are."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest

from radpair.errors import SourceError
from radpair.sources.open_i import OpenI
from radpair.sources.reports import read_reports
from radpair.studyset import StudySet, write
from sources.fakes.open_i import fake_reports, make

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "openi-reports"


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    return make(tmp_path / "open-i")


def refused(root: Path, *parts: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(OpenI(root=root).studies())
    for part in parts:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reports_codes_and_images(collection: Path) -> None:
    (collection / "ecgen-radiology" / "._1.xml").write_bytes(b"of another file system")
    studies = list(OpenI(root=collection).studies())
    fakes = list(fake_reports())
    assert [study.study_id for study in studies] == [fake.uid for fake in fakes]
    names = {code.split("/")[0] for fake in fakes for code in fake.codes} - {"No Indexing"}
    for study, fake in zip(studies, fakes, strict=True):
        assert study.patient_id == fake.uid
        assert [view.path for view in study.views] == [f"NLMCXR_png/{i}.png" for i in fake.images]
        text = f"FINDINGS: {fake.findings}\n\nIMPRESSION: {fake.impression}"
        assert study.report.endswith(text if fake.findings else "")
        assert (study.report == "") == (not fake.findings)
        assert study.attributes.get("codes", "") == "; ".join(fake.codes)
        told = bool(fake.codes) and fake.codes != ("No Indexing",)
        given = {code.split("/")[0] for code in fake.codes}
        assert study.labels.keys() == names
        for name, value in study.labels.items():
            assert value == float(name in given) if told else math.isnan(value)


@pytest.mark.parametrize("kind", ["dcm", "copy"])
def test_images_under_other_names(tmp_path: Path, kind: str) -> None:
    source = OpenI(root=make(tmp_path / "open-i", kind))
    for study in source.studies():
        for view in range(len(study.views)):
            path = source.path_of(study, view)
            assert path.is_file()
            assert path.name.startswith(f"{study.study_id[3:]}_") or path.suffix == ".dcm"


def test_png_is_preferred_to_dicom(collection: Path) -> None:
    make(collection, "dcm")
    paths = {view.path for study in OpenI(root=collection).studies() for view in study.views}
    assert {path.split("/")[0] for path in paths} == {"NLMCXR_png"}


def test_from_folder_to_study_set(collection: Path, tmp_path: Path) -> None:
    (collection / "NLMCXR_png" / "CXR1_1_IM-0001-3001.png").unlink()
    summary = write(OpenI(root=collection), tmp_path / "set", size=32, processes=1)
    images = sum(len(fake.images) for fake in fake_reports())
    assert (summary.images, summary.quarantined_images) == (images - 1, 2)
    assert summary.unusable_reports == 1
    assert summary.studies_left_out == 1
    studies = StudySet.open(tmp_path / "set")
    assert studies.study_ids == [fake.uid for fake in fake_reports() if fake.images]
    assert len(set(studies.patient_ids)) == len(studies.study_ids)


def test_a_changed_report_is_another_source(collection: Path) -> None:
    before = OpenI(root=collection).options()
    file = collection / "ecgen-radiology" / "1.xml"
    file.write_text(file.read_text().replace("acute", "chronic"))
    assert OpenI(root=collection).options() != before


def test_what_is_missing(collection: Path, tmp_path: Path) -> None:
    shutil.rmtree(collection / "NLMCXR_png")
    refused(collection, "6 reports and none of their", "NLMCXR_png.tgz", "radpair labels")
    shutil.rmtree(collection / "ecgen-radiology")
    refused(collection, "NLMCXR_reports.tgz")


def test_damaged_reports(collection: Path) -> None:
    folder = collection / "ecgen-radiology"
    shutil.copy(folder / "1.xml", folder / "7.xml")
    refused(collection, "7.xml", "the report 'CXR1' stands in")
    (folder / "7.xml").write_text("<eCitation></eCitation>")
    refused(collection, "7.xml: has no uId")
    (folder / "7.xml").write_text("<eCitation>")
    refused(collection, "7.xml: is not well-formed XML")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real reports are not beside this checkout")
def test_the_real_reports(tmp_path: Path) -> None:
    refused(REAL, "3,184 reports and none of their 5,967 images", "radpair graphs")
    texts = {report.id: report.text for report in read_reports(REAL / "reports")}
    root = tmp_path / "real"
    (root / "NLMCXR_png").mkdir(parents=True)
    (root / "NLMCXR_png" / "CXR1_1_IM-0001-3001.png").write_bytes(b"")
    shutil.copytree(REAL / "reports", root / "reports")
    studies = list(OpenI(root=root).studies())
    assert {study.study_id: study.report for study in studies} == texts
    assert sum(not study.views for study in studies) > 0
    assert len({view.path for study in studies for view in study.views}) == sum(
        len(study.views) for study in studies
    )
    assert sum(study.labels["normal"] == 1 for study in studies) == 1109
