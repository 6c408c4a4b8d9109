"""Pseudonyms are keyed and never hold what they replace; dates become days; nothing of it stays."""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from radpair.cli import main
from radpair.errors import StudySetError
from radpair.records import Study, View
from radpair.sources import Table
from radpair.studyset import StudySet, write
from radpair.studyset.offsets import first_dates, without_dates
from radpair.studyset.privacy import Pseudonyms

KEY = b"0123456789abcdef0123456789abcdef"
DAYS = ("2021-03-05", "2021-03-01", "2020-12-31", "2021-02-28 10:11:12", "20210110", "2017")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six studies of three patients; ids stand in folders, file names and an attribute."""
    rows = []
    for number, day in enumerate(DAYS):
        patient = f"MRN77{number // 2:03d}"
        path = f"{patient}/ACC{number:05d}/{patient}_{number}.png"
        file = tmp_path / "root" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        film = np.random.default_rng(number).integers(0, 255, (48, 40)).astype(np.uint8)
        cv2.imwrite(str(file), film)
        if number == 4:
            file.write_bytes(b"damaged")
        row = {
            "path": path,
            "patient": patient,
            "study": f"ACC{number:05d}",
            "text": f"Clear {number}.",
        }
        rows.append(
            {**row, "ExamDate": day, "birth_date": "1960-01-02", "sex": "F", "chart": patient}
        )
    with (tmp_path / "films.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "key").write_bytes(KEY + b"\n")
    return tmp_path / "films.csv"


def source(table: Path) -> Table:
    return Table(
        file=table,
        root=table.parent / "root",
        image_column="path",
        patient_column="patient",
        study_column="study",
        text_column="text",
        attribute_columns=("ExamDate", "birth_date", "sex", "chart"),
    )


def keyed(kind: str, name: str) -> str:
    return hmac.new(KEY, f"{kind}\0{name}".encode(), hashlib.sha256).hexdigest()[:32]


def test_set_holds_pseudonyms_and_days_and_no_id(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    summary = write(source(table), out, size=32, processes=1, key=tmp_path / "key")
    for told in ("ExamDate (5 values)", "ExamDate (1 value), birth_date (6 values)."):
        assert told in str(summary)
    found = StudySet.open(out)
    kept = [0, 1, 2, 3, 5]
    assert found.study_ids == [keyed("study", f"ACC{n:05d}") for n in kept]
    assert found.patient_ids == [keyed("patient", f"MRN77{n // 2:03d}") for n in kept]
    assert found.image_paths == [f"{name}/0" for name in found.study_ids]
    chart = {"chart": found.patient_ids[0]}
    assert found.attributes(0) == {"ExamDate_offset_days": "4", "sex": "F", **chart}
    assert [found.attributes(n).get("ExamDate_offset_days") for n in range(5)] == [
        *("4", "0", "0", "59"),
        None,
    ]
    [damaged] = [row for row in found.quarantine().to_pylist() if row["kind"] == "image"]
    assert damaged["path"] == f"{damaged['study_id']}/0" == f"{keyed('study', 'ACC00004')}/0"
    assert damaged["reason"].startswith(damaged["path"])
    assert damaged["row"] == 6

    stored = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for rows in (found.attributes(0), found.quarantine().to_pylist(), found.image_paths):
        stored += json.dumps(rows).encode()
    for secret in (KEY, KEY.hex().encode(), b"MRN77", b"ACC0", b"2021-03", b"1960"):
        assert secret not in stored
    options = found.manifest["options"]["pseudonyms"]
    assert options["ids"] == "HMAC-SHA256, 32 hex digits"
    assert options["key_check"] == keyed("check", "radpair")[:8]


def test_the_quarantine_can_be_traced_beside_the_key(table: Path, tmp_path: Path) -> None:
    out, key, listed = tmp_path / "set", tmp_path / "key", tmp_path / "key.quarantine.csv"
    summary = write(source(table), out, size=32, processes=1, key=key)
    assert f"Which files the quarantine means: {listed} (keep" in str(summary)
    assert listed.stat().st_mode & 0o777 == 0o600
    with listed.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    entries = StudySet.open(out).quarantine().to_pylist()
    assert [row["path"] for row in rows] == [entry["path"] for entry in entries]
    assert [row["source_path"] for row in rows] == ["MRN77002/ACC00004/MRN77002_4.png"]
    assert (rows[0]["source_patient"], rows[0]["source_study"]) == ("MRN77002", "ACC00004")
    assert str(listed) not in (out / "manifest.json").read_text()

    write(source(table), tmp_path / "second", size=48, processes=1, key=key)
    write(source(table), tmp_path / "second", size=48, processes=1, key=key)
    with listed.open(newline="") as handle:
        assert [row["set"] for row in csv.DictReader(handle)] == [
            str(out),
            str(out.parent / "second"),
        ]

    listed.unlink()
    listed.mkdir()
    assert "could not be written to" in write(source(table), out, size=32, key=key).traces


def test_another_key_or_none_is_another_set(table: Path, tmp_path: Path) -> None:
    out, key = tmp_path / "set", tmp_path / "key"
    write(source(table), out, size=32, processes=1, key=key)
    assert write(source(table), out, size=32, processes=1, key=key).was_complete
    other = tmp_path / "other"
    other.write_bytes(KEY[::-1])
    for given in (other, None):
        with pytest.raises(StudySetError, match="pseudonyms"):
            write(source(table), out, size=32, processes=1, key=given)
    write(source(table), tmp_path / "two", size=32, processes=2, key=key)
    for name in ("manifest.json", "studies.parquet", "images.parquet", "quarantine.parquet"):
        assert (out / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    write(source(table), tmp_path / "third", size=32, processes=1, key=other)
    assert not {*StudySet.open(out).patient_ids} & {*StudySet.open(tmp_path / "third").patient_ids}


def test_keys_that_are_refused(table: Path, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_bytes(b"secret\n")
    inside = tmp_path / "set" / "key"
    for key, reason in {
        tmp_path / "none": "the key cannot be read",
        short: "the key has 6 bytes where 16 are the least",
        inside: "lies in the study set",
    }.items():
        with pytest.raises(StudySetError, match=reason):
            write(source(table), tmp_path / "set", key=key)
    assert KEY.decode() not in repr(Pseudonyms(KEY))


def test_the_verb(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ["--image-column", "path", "--patient-column", "patient", "--root"]
    words = ["ingest", "table", str(table), *columns, str(tmp_path / "root"), "--processes", "1"]
    main([*words, "--out", str(tmp_path / "a"), "--pseudonymise", str(tmp_path / "key")])
    assert keyed("patient", "MRN77000") in StudySet.open(tmp_path / "a").patient_ids
    with pytest.raises(SystemExit):
        main([*words, "--out", str(tmp_path / "b"), "--near-duplicates", "--keep-duplicates"])
    assert "give one of them" in capsys.readouterr().err


def study(patient: str, **attributes: str) -> Study:
    return Study(f"s-{patient}", patient, (View("x.png"),), attributes=attributes)


def test_what_is_a_date() -> None:
    studies = [
        study("a", date="January 25, 2020", candidate="Mon", update="weekly", temperature="38.5"),
        study("a", date="3 March 2020", StudyDate="2020-02-01T10:00:00"),
        study("b", DateOfBirth="1950-01-01", dob="01/02/1950", number="123456789", year="2020"),
    ]
    days = first_dates(studies)
    assert days.first == {"a": date(2020, 1, 25)}
    assert [dict(found.attributes) for found in without_dates(studies, days)] == [
        {"candidate": "Mon", "update": "weekly", "temperature": "38.5", "date_offset_days": "0"},
        {"date_offset_days": "38", "StudyDate_offset_days": "7"},
        {"number": "123456789", "year": "2020"},
    ]
    with pytest.raises(StudySetError, match="'seen' holds a date whose day and month could"):
        first_dates([study("c", seen="03/04/2020")])


def shown(*values: str) -> list[dict[str, str]]:
    """What becomes of the attribute ``x``, whose name says nothing, of a patient each."""
    studies = [study(str(place), x=value) for place, value in enumerate(values)]
    return [dict(found.attributes) for found in without_dates(studies, first_dates(studies))]


@pytest.mark.parametrize(
    "value",
    [
        *("20210304", "12.03.21", "3. März 2021", "2021-03-04T10:00:00+01:00", "04-MAR-2021"),
        *("2021/03/14", "03/14/2021 10:00", "14 March 2021", "14/3/21", "Donnerstag, 4.3.2021"),
        *("2021-03-04 10:15:00.5", "Thu 4 Mar 2021 4:30 pm", "20210304 101500"),
    ],
)
def test_a_date_of_any_form_becomes_days(value: str) -> None:
    assert shown(value, "no", "no") == [{"x_offset_days": "0"}, {"x": "no"}, {"x": "no"}]


@pytest.mark.parametrize(
    "value",
    ["March 2021", "2021-03", "2021-13-45", "seen 2021-03-14", "2021-03-01 to 2021-03-09"],
)
def test_a_date_that_makes_no_days_is_left_out(value: str) -> None:
    assert shown(value, "no", "no") == [{}, {"x": "no"}, {"x": "no"}]


def test_what_is_no_date_in_a_column_of_dates_is_left_out_and_counted() -> None:
    values = ("10.03.2021", "110.03.2021", "11.03.2021", "", "unknown", "12.03.2021", "13.03.2021")
    studies = [study("a", x=value, dob="1950") for value in values]
    days = first_dates(studies)
    found = [dict(one.attributes) for one in without_dates(studies, days)]
    offsets = ["0", None, "1", None, None, "2", "3"]
    assert [one.get("x_offset_days") for one in found] == offsets
    assert not any("x" in one or "dob" in one for one in found)
    assert days.remarks() == [
        "Dates became days from the patient's first: x (4 values).",
        "Attributes were left out that are a date of birth or hold a date of which no number of "
        "days can be made: dob (7 values), x (2 values).",
    ]


def test_the_column_tells_which_of_day_and_month_is_first() -> None:
    for told in ("14/3/2021", "3/14/2021"):
        studies = [study("a", x=value) for value in (told, "03/04/2021", "04/04/2021", "5/5/2021")]
        first = first_dates(studies)
        found = [one.attributes["x_offset_days"] for one in without_dates(studies, first)]
        start = first.first["a"]
        read = [(4, 3), (4, 4)] if told.startswith("14") else [(3, 4), (4, 4)]
        expected = [str((date(2021, *one) - start).days) for one in read]
        assert found[1:3] == expected
        assert start == min(date(2021, 3, 14), date(2021, *read[0]))
    with pytest.raises(StudySetError, match="no value of the column tells which comes first"):
        first_dates([study("a", x="03/04/2021"), study("b", y="14/3/2021")])
    with pytest.raises(StudySetError, match="have the day first and others the month"):
        first_dates([study("a", x=x) for x in ("03/04/2021", "14/3/2021", "3/14/2021")])


def test_a_reason_with_one_name_for_path_study_and_patient_has_the_path() -> None:
    names = Pseudonyms(KEY)
    given = Study("x/1.dcm", "x/1.dcm", (View("x/1.dcm"),))
    assert names.reason(given, 0, "x/1.dcm: is not DICOM") == (
        f"{names.study('x/1.dcm')}/0: is not DICOM"
    )
    given = Study("s", "0", (View("a.png"),))
    assert names.reason(given, 0, "a.png: bad") == f"{names.study('s')}/0: bad"


def test_reasons_lose_ids_but_no_part_of_other_words() -> None:
    names = Pseudonyms(KEY)
    given = Study("12", "7", (View("7/12.png"),))
    told = names.reason(given, 0, "7/12.png: too small, 120 x 17 pixels of patient 7")
    assert (
        told == f"{names.study('12')}/0: too small, 120 x 17 pixels of patient {names.patient('7')}"
    )
