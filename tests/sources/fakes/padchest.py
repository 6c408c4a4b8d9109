"""A tiny PadChest: its table of many columns, 16-bit pictures in numbered folders."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sources.fakes.pictures import picture

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
COLUMNS = (
    *("", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth"),
    *("PatientSex_DICOM", "ViewPosition_DICOM", "Projection", "MethodProjection", "Pediatric"),
    *("Modality_DICOM", "Manufacturer_DICOM", "PhotometricInterpretation_DICOM"),
    *("PixelRepresentation_DICOM", "PixelAspectRatio_DICOM", "SpatialResolution_DICOM"),
    *("BitsStored_DICOM", "WindowCenter_DICOM", "WindowWidth_DICOM", "Rows_DICOM"),
    *("Columns_DICOM", "XRayTubeCurrent_DICOM", "Exposure_DICOM", "ExposureInuAs_DICOM"),
    *("ExposureTime", "RelativeXRayExposure_DICOM", "ReportID", "Report", "MethodLabel"),
    *("Labels", "Localizations", "LabelsLocalizationsBySentence", "labelCUIS"),
    "LocalizationsCUIS",
)
LABELS = (
    ("['normal']", ("normal",)),
    (
        "['pulmonary fibrosis', ' chronic changes', 'kyphosis', 'kyphosis']",
        ("pulmonary fibrosis", "chronic changes", "kyphosis"),
    ),
    ("['unchanged', '']", ("unchanged",)),
    ("", None),
    ("[\"Chilaiditi's sign\", 'COPD signs']", ("Chilaiditi's sign", "COPD signs")),
)


@dataclass(frozen=True)
class FakeImage:
    number: int
    study: str
    patient: str
    projection: str
    report: str
    cell: str
    labels: tuple[str, ...] | None

    @property
    def name(self) -> str:
        return (
            f"2168401113669640122873939355720092520858{self.number:05d}_00-163-0{self.number}.png"
        )

    @property
    def folder(self) -> str:
        return str(self.number % 3 * 27)


def fake_images(studies: int = 14) -> Iterator[FakeImage]:
    """Images in the table's order; every third study has a lateral beside its frontal."""
    number = 0
    for study in range(studies):
        cell, labels = LABELS[study % len(LABELS)]
        first = ("PA", "AP_horizontal", "COSTAL", "AP", "EXCLUDE")[study % 5]
        for projection in (first, "L")[: 2 if study % 3 == 0 else 1]:
            yield FakeImage(
                number=number,
                study=f"57989{study:04d}",
                patient=f"{study // 2:064d}",
                projection=projection,
                report="" if study == 4 else f"sin hallazg patolog edad pacient estudi {study} .",
                cell=cell,
                labels=labels,
            )
            number += 1


def make(folder: Path, layout: str = "{dir}/{name}", gzipped: bool = False) -> Path:
    """Writes the table and the images where ``layout`` says."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, restval="")
    table.writeheader()
    for image in fake_images():
        table.writerow(_cells(image))
        picture(folder / layout.format(dir=image.folder, name=image.name), bits=16)
    content = text.getvalue().encode()
    if gzipped:
        (folder / (TABLE + ".gz")).write_bytes(gzip.compress(content, mtime=0))
    else:
        (folder / TABLE).write_bytes(content)
    return folder


def _cells(image: FakeImage) -> dict[str, str]:
    return {
        "": str(image.number),
        "ImageID": image.name,
        "ImageDir": image.folder,
        "StudyDate_DICOM": "20140915",
        "StudyID": image.study,
        "PatientID": image.patient,
        "PatientBirth": "" if image.number == 3 else "1930.0",
        "PatientSex_DICOM": "M",
        "ViewPosition_DICOM": "POSTEROANTERIOR",
        "Projection": image.projection,
        "ReportID": f"4765{image.study}",
        "Report": image.report,
        "MethodLabel": "Physician" if image.number % 2 else "RNN_model",
        "Labels": image.cell,
        "LabelsLocalizationsBySentence": "[['normal', 'loc right'], ['normal']]",
    }
