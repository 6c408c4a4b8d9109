"""A tiny Open-i: reports as XML, images named as their reports name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from sources.fakes.pictures import picture


@dataclass(frozen=True)
class FakeReport:
    number: int
    findings: str
    impression: str
    codes: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def uid(self) -> str:
        return f"CXR{self.number}"


def fake_reports() -> Iterator[FakeReport]:
    """Reports in the order of their numbers; among them the quirks of the collection."""
    codes = (
        ("normal",),
        ("Cardiomegaly/mild", "Pulmonary Atelectasis/base/left"),
        ("No Indexing",),
        (),
        ("Opacity/lung/base/right", "Opacity/lung/apex", "Cardiomegaly"),
    )
    for number in (1, 2, 3, 10, 11, 100):
        name = "CXR1_1_IM-0001" if number == 1 else f"CXR{number}_IM-{number:04d}"
        images = tuple(f"{name}-{view}" for view in ("3001", "4001-0001")[: 1 + number % 2])
        yield FakeReport(
            number=number,
            findings="" if number == 3 else f"Heart < normal & film {number} XXXX.",
            impression="" if number == 3 else "No acute disease.",
            codes=codes[number % 5],
            images=() if number == 11 else images,
        )


def make(folder: Path, kind: str = "png") -> Path:
    """Writes reports and images of one ``kind``: ``png``, ``dcm`` or ``copy`` (other names)."""
    for report in fake_reports():
        file = folder / "ecgen-radiology" / f"{report.number}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_xml(report), encoding="utf-8")
        for image in report.images:
            bare = image[image.index("IM-") :]
            picture(
                {
                    "png": folder / "NLMCXR_png" / f"{image}.png",
                    "dcm": folder / "NLMCXR_dcm" / str(report.number) / f"{bare}.dcm",
                    "copy": folder / "images" / f"{report.number}_{bare}.dcm.png",
                }[kind]
            )
    return folder


def _xml(report: FakeReport) -> str:
    parts = {
        "COMPARISON": "None.",
        "INDICATION": "Chest pain",
        "FINDINGS": report.findings,
        "IMPRESSION": report.impression,
    }
    abstract = "".join(
        f'<AbstractText Label="{name}">{escape(text)}</AbstractText>'
        for name, text in parts.items()
    )
    codes = "".join(f"<major>{code}</major>" for code in report.codes)
    images = "".join(
        f'<parentImage id="{image}"><figureId>F1</figureId><caption>PA and Lateral</caption>'
        f"<panel><url>/extract/{image}.jpg</url></panel></parentImage>"
        for image in report.images
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<eCitation><uId id="{report.uid}"/>'
        f"<MedlineCitation><Article><Abstract>{abstract}</Abstract></Article></MedlineCitation>"
        f"<MeSH>{codes}<automatic>granuloma</automatic></MeSH>{images}</eCitation>\n"
    )
