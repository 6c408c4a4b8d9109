"""A tiny CheXpert Plus: table, pictures, CheXbert's labels, RadGraph-XL's graphs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sources.fakes.chexpert import NAMES, FakeImage, fake_images, write_csv
from sources.fakes.pictures import picture

COLUMNS = (
    *("path_to_image", "path_to_dcm", "frontal_lateral", "ap_pa", "deid_patient_id"),
    *("patient_report_date_order", "report", "section_narrative", "section_clinical_history"),
    *("section_history", "section_comparison", "section_technique", "section_procedure_comments"),
    *("section_findings", "section_impression", "section_end_of_impression", "section_summary"),
    *("section_accession_number", "age", "sex", "race", "ethnicity", "interpreter_needed"),
    *("insurance_type", "recent_bmi", "deceased", "split"),
)


@dataclass(frozen=True)
class FakeReport:
    findings: str
    impression: str
    whole: str


def fake_rows() -> Iterator[tuple[FakeImage, FakeReport]]:
    """Every image with its report, in the order of the table."""
    for part in ("train", "valid"):
        for image in fake_images(part):
            yield image, _report(image)


def make(folder: Path, images: str = "PNG", suffix: str = ".png") -> Path:
    """Writes the table, images below ``folder/images``, labels of three texts, two graph files."""
    rows = list(fake_rows())
    folder.mkdir(parents=True, exist_ok=True)
    cells = [_cells(image, report) for image, report in rows]
    table = [COLUMNS, *(tuple(row.get(name, "") for name in COLUMNS) for row in cells)]
    write_csv(folder / "df_chexpert_plus_240401.csv", table)
    for image, _ in rows:
        picture((folder / images / image.path).with_suffix(suffix))
    (folder / "chexbert_labels").mkdir()
    for text in ("findings", "impression", "report"):
        lines = [json.dumps(label_record(image, text)) for image, _ in rows]
        file = folder / "chexbert_labels" / f"{text}_fixed.json"
        file.write_text("\n".join(lines) + "\n")
    (folder / "radgraph-XL-annotations").mkdir()
    for section in ("findings", "impression"):
        texts = [getattr(report, section) for _, report in rows]
        graphs = [{"0": graph(text)} for text in texts if len(text.split()) >= 2]
        file = folder / "radgraph-XL-annotations" / f"section_{section}.json"
        file.write_text(json.dumps(graphs))
    return folder


def label_record(image: FakeImage, text: str) -> dict[str, Any]:
    """A line of CheXbert's labels; those of the findings are all 'No Finding', as published."""
    if text == "findings":
        values: dict[str, float | None] = dict.fromkeys(NAMES) | {"No Finding": 1.0}
    else:
        values = {n: float(v) if v else None for n, v in zip(NAMES, image.labels, strict=True)}
    return {"path_to_image": image.path, **values}


def graph(text: str) -> dict[str, Any]:
    """A graph in RadGraph-XL's shape: the finding, modified by the word before it."""
    tokens = text.lower().replace(".", " .").split()
    entities = {
        "1": _entity(tokens, 0, "Observation::definitely present", [["modify", "2"]]),
        "2": _entity(tokens, 1, "Observation::definitely present", []),
    }
    return {"text": " ".join(tokens), "entities": entities, "data_source": None}


def _entity(tokens: list[str], place: int, label: str, links: list[list[str]]) -> dict[str, Any]:
    spans = {"tokens": tokens[place], "label": label, "start_ix": place, "end_ix": place}
    return {**spans, "relations": links}


def _report(image: FakeImage) -> FakeReport:
    draw = random.Random(image.patient + image.study)
    size, what = draw.choice(("Small", "Large")), draw.choice(("effusion", "opacity", "nodule"))
    kind = draw.randrange(4)
    place = draw.choice(("left apex", "right base", "lingula"))
    findings = "" if kind in (0, 3) else f"{size} {what}, {place}, film {image.patient}."
    impression = ("", f"{size} {what}.", "Stable", "")[kind]
    whole = f"NARRATIVE: FILM OF {image.patient}\n\n{size} {what}, unchanged."
    return FakeReport(findings, impression, whole)


def _cells(image: FakeImage, report: FakeReport) -> dict[str, str]:
    sex, age, side, projection = image.cells
    return {
        "path_to_image": image.path,
        "path_to_dcm": image.path.replace(".jpg", ".dcm"),
        "frontal_lateral": side,
        "ap_pa": projection,
        "deid_patient_id": image.patient,
        "patient_report_date_order": image.study[5:],
        "report": report.whole,
        "section_clinical_history": "Cough.",
        "section_findings": report.findings,
        "section_impression": report.impression,
        "section_accession_number": "12345",
        "age": f"{age}.0",
        "sex": sex,
        "race": "Other",
        "split": image.part,
    }
