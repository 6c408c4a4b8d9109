"""The figures beside a slow count, the page beside the figures, and sets that lack things."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from radpair.cli import main
from radpair.description import describe, render, told
from radpair.description.facts import kind_of
from radpair.sources import Table
from radpair.studyset import StudySet, write

SPLITS = {0: "train", 1: "train", 2: "test"}


def film(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 255, (20, 20)).astype(np.uint8)
    return cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    """Thirty films: one damaged, one blank, one a copy within train, one across splits."""
    found = []
    for number in range(30):
        pixels = {7: film(1), 11: film(3)}.get(number, film(number))
        if number == 11:
            pixels = pixels // 2 + 40
        cv2.imwrite(
            str(tmp_path / f"{number}.png"), np.zeros_like(pixels) if number == 9 else pixels
        )
        if number == 8:
            (tmp_path / "8.png").write_bytes(b"no film")
        found.append(
            {
                "path": f"{number}.png",
                "patient": f"p{number}",
                "split": SPLITS[number % 3],
                "view": ("PA", "AP", "")[number % 4 % 3],
                "Sex": ("female", "M", "")[number % 5 % 3],
                "age": ("054Y", "61", "7 <b>", "")[number % 4],
                "text": "" if number % 6 == 0 else " ".join(["Clear lungs."] * (number + 1)),
                "Edema": ("1", "0", "-1", "")[number % 4],
                "Mass <i>": "",
            }
        )
    return found


@pytest.fixture
def studies(rows: list[dict[str, str]], tmp_path: Path) -> StudySet:
    with (tmp_path / "films.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    source = Table(
        file=tmp_path / "films.csv",
        root=tmp_path,
        image_column="path",
        patient_column="patient",
        split_column="split",
        view_column="view",
        text_column="text",
        label_columns=("Edema", "Mass <i>"),
        attribute_columns=("Sex", "age"),
    )
    write(source, tmp_path / "set", size=64, processes=1)
    return StudySet.open(tmp_path / "set")


def test_figures_are_those_of_a_slow_count(studies: StudySet, rows: list[dict[str, str]]) -> None:
    facts = describe(studies)
    json.dumps(facts, allow_nan=False)
    kept = [row for n, row in enumerate(rows) if n not in (7, 8, 9)]
    assert len(studies) == len(kept)
    for split in ("train", "test"):
        mine = [row for row in kept if row["split"] == split]
        assert facts["splits"][split] == {
            "studies": len(mine),
            "patients": len({row["patient"] for row in mine}),
            "images": len(mine),
            "reports": sum(bool(row["text"]) for row in mine),
        }
        sexes = Counter({"female": "F"}.get(r["Sex"], r["Sex"]) or "not known" for r in mine)
        assert {sex: row[split] for sex, row in facts["sexes"].items()} == sexes
        views = Counter(row["view"] or "not known" for row in mine)
        assert {view: row[split] for view, row in facts["views"].items()} == views
        ages = [{"054Y": 54, "61": 61}[r["age"]] for r in mine if r["age"] in ("054Y", "61")]
        words = [2 * (int(r["path"][:-4]) + 1) for r in mine if r["text"]]
        for key, values in (("ages", ages), ("words", words)):
            assert facts[key]["quartiles"][split] == pytest.approx(
                np.percentile(values, (25, 50, 75)).tolist()
            )
            assert sum(step[split] for step in facts[key]["bins"]) == len(values)
        for step, counted in enumerate(facts["ages"]["bins"]):
            assert counted[split] == sum(age // 10 == step for age in ages)
        edema = Counter(row["Edema"] for row in mine)
        assert facts["labels"][0][split] == {
            "present": edema["1"],
            "absent": edema["0"],
            "uncertain": edema["-1"],
            "studies": len(mine),
        }
    assert list(facts["splits"]) == ["train", "test"]
    quarantine = {(row["kind"], row["reason"]): row["count"] for row in facts["quarantine"]}
    assert quarantine.pop(("image", "blank, every pixel has the grey level N")) == 1
    assert quarantine.pop(("image", "duplicate")) == 1
    assert sum(n for (kind, _), n in quarantine.items() if kind == "image") == 1
    assert facts["near"]["pairs"] == {"train and test": 1}
    assert facts["near"]["rows"][0]["path"] == "11.png"


class Reader(HTMLParser):
    """Every tag, and the text of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += f"{data} "


def test_page_shows_the_figures_and_fetches_nothing(studies: StudySet) -> None:
    facts = describe(studies)
    page = Reader(render(facts))
    assert not page.tags["script"]
    assert not page.tags["link"]
    assert not page.addresses
    assert page.tags["b"] == 0
    assert page.tags["i"] == 2 * 3  # the marks of three legends
    assert page.tags["svg"] == 5
    for word in ("Edema", "blank", "duplicate", "11.png (test)", "3.png (train)", facts["hash"]):
        assert word in page.words
    assert "Mass <i>" not in page.words  # no study says anything of it
    lines = told(facts).splitlines()
    assert lines[0].startswith(f"{studies.path}: 27 studies of 27 patients, 27 images")
    assert facts["empty_splits"] == ["validate"]
    assert any(line.startswith("No study is in validate: ingest with another") for line in lines)
    assert "No study is in validate" in page.words
    assert "Near-duplicate images across splits: 1 (train and test 1)." in lines
    [edema] = [line for line in lines if line.startswith("Edema")]
    cells = [facts["labels"][0][split] for split in ("train", "test")]
    shares = [100 * c["present"] / (c["present"] + c["absent"]) for c in cells]
    assert [float(x) for x in re.findall(r"([\d.]+) %", edema)] == [
        pytest.approx(share, abs=0.05) for share in shares
    ]


def test_a_set_of_bare_images(rows: list[dict[str, str]], tmp_path: Path) -> None:
    with (tmp_path / "bare.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["path"])
        writer.writeheader()
        writer.writerows({"path": row["path"]} for row in rows[:6])
    options = {"file": tmp_path / "bare.csv", "root": tmp_path}
    source = Table(**options, image_column="path", patient_column="path")
    summary = write(source, tmp_path / "bare", size=64, processes=1)
    assert asdict(summary)["labels"] == ()
    facts = describe(StudySet.open(tmp_path / "bare"))
    page = Reader(render(facts))
    assert page.tags["svg"] == 1  # views, all not known
    for sentence in ("The set has no reports.", "The set has no labels.", "Nothing was left out."):
        assert sentence in page.words
    assert "Quarantine: nothing." in told(facts)


def test_the_verb(studies: StudySet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["describe", str(studies.path), "--out", str(tmp_path / "page.html")])
    assert (tmp_path / "page.html").read_text() == render(describe(studies))
    assert told(describe(studies)) in capsys.readouterr().out
    for out, reason in (
        (tmp_path / "no" / "x.html", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "page.txt", "ends in .html"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["describe", str(studies.path), "--out", str(out)])
        assert ended.value.code == 2
        assert reason in capsys.readouterr().err


def test_reasons_are_grouped_without_what_is_particular() -> None:
    assert kind_of("a/b.png: too small, 12 x 9 pixels where 32 are the least; put", "a/b.png") == (
        "too small, N x N pixels where N are the least"
    )
    assert kind_of("a.png: lies in no folder, so its patient is not told; give", "a.png") == (
        "lies in no folder, so its patient is not told"
    )
    assert kind_of("b.dcm: damaged or truncated (line 3, byte 8); fetch", "b.dcm") == (
        "damaged or truncated"
    )
    assert kind_of("x.png: duplicate of y.png of study 'z' (train)", "x.png") == "duplicate"
    assert kind_of("f.dcm: has 1,200 frames, say which", "f.dcm") == "has N frames, say which"


def test_trimmed_borders_and_remarks_are_told(tmp_path: Path) -> None:
    for number in range(4):
        inner = film(number)
        framed = cv2.copyMakeBorder(inner, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=0)
        cv2.imwrite(str(tmp_path / f"{number}.png"), framed if number else inner)
    rows = "".join(f"{number}.png,p{number}\n" for number in range(4))
    (tmp_path / "films.csv").write_text("path,patient\n" + rows)
    source = Table(
        file=tmp_path / "films.csv", root=tmp_path, image_column="path", patient_column="patient"
    )
    write(source, tmp_path / "set", processes=1, trim_borders=True)
    file = tmp_path / "set" / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "remarks": ["Left out 3 files: 3 not <DICOM>."]}))
    facts = describe(StudySet.open(tmp_path / "set"))
    assert facts["trimmed"] == {"count": 3, "share": pytest.approx(1 - 64**2 / 80**2, abs=1e-4)}
    text, page = told(facts), render(facts)
    assert "Borders were trimmed of 3 of 4 images, on average 36.0 % of their area." in text
    assert "3 not <DICOM>." in text
    assert "Borders were trimmed of 3 of 4 images" in page
    assert "3 not &lt;DICOM&gt;." in page
    write(source, tmp_path / "plain", processes=1)
    plain = describe(StudySet.open(tmp_path / "plain"))
    assert plain["trimmed"] is None
    assert "Films as they were read" not in render(plain)
