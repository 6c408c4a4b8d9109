"""CheXpert Plus: CheXpert's radiographs with their reports and graphs.

223,462 images, 187,711 studies, 64,725 patients (Chambon et al. 2024).

Obtained from Stanford AIMI after registration and a research use agreement
(no commercial use, no sharing, no re-identification):
https://aimi.stanford.edu/datasets/chexpert-plus

    ROOT/
        df_chexpert_plus_240401.csv
        PNG/train/patient00001/study1/view1_frontal.png     (or PNG/PNG/train,
        PNG/valid/patient64541/study1/view1_frontal.png      PNGs/train, train)
        chexbert_labels/impression_fixed.json               (or in ROOT)
        radgraph-XL-annotations/section_findings.json       (only for --graphs)
        radgraph-XL-annotations/section_impression.json

The DICOM files lie as DICOM/train/patient00001/study1/view1_frontal.dcm;
CheXpert's own JPEG files in train and valid do too. Where several are there,
--images says which folder below ROOT is meant.

Report: the sections of the table, each under its heading; where neither
findings nor impression are told apart, the whole report. Labels: 14 of
CheXbert (1, 0, -1, blank) from the impression; --labels findings, report,
none. Attributes: sex, age, race. View: lateral, or the frontal's AP or PA.
Graphs: RadGraph-XL's of the sections named by --graphs, joined.

Splits: train and valid are official. Valid (200 studies) is the test set
and --validate the share of the training patients that is held out, by a hash
of the patient's id; with --valid-as validate there is no test set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from radpair.errors import SourceError
from radpair.records import Graph, Study, View
from radpair.sources.chexpert import NAMES, TEST, VALIDATE, official_split
from radpair.sources.dataset import Dataset, StudyLabels, below, grouped, need_images
from radpair.sources.folders import check_choice, check_share
from radpair.sources.json_records import json_records
from radpair.sources.radgraph_xl import SectionGraphs, joined
from radpair.sources.reports import under_headings
from radpair.sources.tabular import Row, iterate_rows
from radpair.sources.views import position

PAGE = "https://aimi.stanford.edu/datasets/chexpert-plus"
TABLE = "df_chexpert_plus_*.csv"
SECTIONS = (
    "section_narrative",
    "section_clinical_history",
    "section_history",
    "section_comparison",
    "section_technique",
    "section_procedure_comments",
    "section_findings",
    "section_impression",
    "section_end_of_impression",
    "section_summary",
)
READ = ("section_findings", "section_impression")
ATTRIBUTES = ("sex", "age", "race")
COLUMNS = ("path_to_image", "frontal_lateral", "ap_pa", "deid_patient_id", "split", "report")
SUFFIXES = (".png", ".dcm", ".jpg")
PARTS = ("train", "valid")
GRAPH_FOLDER, LABEL_FOLDER = "radgraph-XL-annotations", "chexbert_labels"


class Image(NamedTuple):
    """One row, as far as its study needs it."""

    row: int
    path: str
    position: str
    patient: str
    part: str
    report: str
    attributes: dict[str, str]
    graph: Graph | None


@dataclass(frozen=True, kw_only=True)
class CheXpertPlus(Dataset):
    """CheXpert Plus, see the module."""

    name: ClassVar[str] = "chexpert-plus"

    labels: Literal["impression", "findings", "report", "none"] = "impression"
    """The text that CheXbert's labels were made from."""
    graphs: tuple[Literal["findings", "impression"], ...] = ()
    """Sections whose RadGraph-XL graphs are taken in; joined where there are two."""
    images: str | None = None
    """The folder below ROOT that holds train and valid, where there are several."""
    valid_as: Literal["test", "validate"] = "test"
    """What the official valid is."""
    validate: float = 0.05
    """Share of training patients held out as validate where the official valid is the test."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "graphs", tuple(self.graphs))
        check_choice("labels", self.labels, ("impression", "findings", "report", "none"))
        check_choice("valid_as", self.valid_as, (TEST, VALIDATE))
        check_share(self.validate)
        for section in self.graphs:
            check_choice("graphs", section, ("findings", "impression"))

    def tables(self) -> list[Path]:
        """The table of reports, the files of graphs, and the labels where they are asked for."""
        labels = self._label_file()
        return [self._table(), *self._graph_files(), *([labels] if labels else [])]

    def studies(self) -> Iterator[Study]:
        """Every study, as soon as the last of its images was read from the table."""
        table, labels = self._table(), self._labels()
        folders, suffix = self._folders()
        need_images(
            self.root,
            (
                _place(path, folders, suffix)
                for row in iterate_rows(table, COLUMNS)
                for _, path in [_ids(table, row)]
            ),
            f"unpack the images of {PAGE}, or give their folder with --images",
        )
        keys = (_ids(table, row)[0] for row in iterate_rows(table, COLUMNS))
        for study_id, images in grouped(keys, self._images(table)):
            first = images[0]
            yield Study(
                study_id=study_id,
                patient_id=first.patient,
                views=tuple(
                    View(_place(image.path, folders, suffix), image.position, image.row)
                    for image in images
                ),
                report=first.report,
                labels=labels.of(first.path),
                split=official_split(
                    first.part, first.patient, self.valid_as == TEST, self.validate
                ),
                attributes=first.attributes,
                graph=first.graph,
                row=first.row,
            )

    def _images(self, table: Path) -> Iterator[tuple[str, Image]]:
        """Rows with the graphs that belong to them, which follow the order of the rows."""
        graphs = [SectionGraphs(file) for file in self._graph_files()]
        for row in iterate_rows(table, (*COLUMNS, *SECTIONS, *ATTRIBUTES)):
            found = [
                given.of(table, row.number, row.cells[f"section_{section}"])
                for given, section in zip(graphs, self.graphs, strict=True)
            ]
            study_id, path = _ids(table, row)
            yield study_id, _image(table, row, path, joined(found))
        for given in graphs:
            given.end(table)

    def _table(self) -> Path:
        found = sorted(self.root.glob(TABLE))
        if not found:
            inner = [path.parent for path in sorted(self.root.glob(f"*/{TABLE}"))]
            where = f"but {inner[0]} has; give that folder" if inner else f"download it from {PAGE}"
            if (self.root / "train.csv").is_file():
                where = "but a train.csv: give radpair ingest chexpert"
            raise SourceError(f"{self.root}: has no df_chexpert_plus_240401.csv, {where}")
        return found[-1]

    def _label_file(self) -> Path | None:
        if self.labels == "none":
            return None
        return self._part_file(LABEL_FOLDER, f"{self.labels}_fixed.json", "give --labels none")

    def _graph_files(self) -> list[Path]:
        return [
            self._part_file(GRAPH_FOLDER, f"section_{section}.json", "leave out --graphs")
            for section in self.graphs
        ]

    def _part_file(self, folder: str, name: str, without: str) -> Path:
        for file in (self.root / folder / name, self.root / name):
            if file.is_file():
                return file
        raise SourceError(
            f"{self.root}: has no {folder}/{name}; unpack {folder}.zip from {PAGE} there, or "
            f"{without}"
        )

    def _labels(self) -> StudyLabels:
        """Labels by the path of the image that they were told of."""
        file = self._label_file()
        if file is None:
            return StudyLabels(())
        labels = StudyLabels(NAMES)
        for number, record in json_records(file):
            values = {name: record.get(name, file) for name in NAMES}
            bad = [name for name, value in values.items() if value not in (0, 1, -1, None)]
            path = record.get("path_to_image")
            if bad or not isinstance(path, str):
                fault = f"no label in '{bad[0]}'" if bad else "no 'path_to_image'"
                raise SourceError(f"{file}, record {number}: has {fault}; download it again")
            given = {n: float("nan") if v is None else float(v) for n, v in values.items()}
            labels.put(path, given)
        return labels

    def _folders(self) -> tuple[dict[str, str], str]:
        """The folders of train and valid below ROOT, and the suffix of their images."""
        if self.images is not None:
            below("--images", self.images)
        places = [self.root / self.images] if self.images else _two_levels(self.root)
        holding = [place for place in places if any((place / part).is_dir() for part in PARTS)]
        if not holding:
            raise SourceError(
                f"{self.root}: has no folder with train/patient00001/..., such as PNG; unpack the "
                f"images of {PAGE} there, or give their folder with --images"
            )
        if len(holding) > 1:
            names = " and ".join(str(place.relative_to(self.root)) for place in holding)
            raise SourceError(f"{self.root}: has images in {names}; say which with --images")
        folder = holding[0].relative_to(self.root).as_posix()
        prefix = "" if folder == "." else folder + "/"
        return {part: f"{prefix}{part}" for part in PARTS}, _suffix(holding[0])


def _two_levels(root: Path) -> list[Path]:
    folders = [path for path in sorted(root.glob("*")) if path.is_dir() and path.name not in PARTS]
    inner = [path for folder in folders for path in sorted(folder.glob("*")) if path.is_dir()]
    return [root, *folders, *(path for path in inner if path.name not in PARTS)]


def _suffix(folder: Path) -> str:
    """Of the first image below a folder of train and valid; PNG where there is none."""
    for part in PARTS:
        for image in (folder / part).glob("patient*/study*/view*"):
            if image.suffix in SUFFIXES:
                return image.suffix
    return SUFFIXES[0]


def _ids(table: Path, row: Row) -> tuple[str, str]:
    """The study's id, such as ``patient00001/study1``, and the path as the table gives it."""
    text = row.cells["path_to_image"]
    path = below(f"{table}, row {row.number}, column 'path_to_image'", text)
    parts = path.split("/")
    if len(parts) != 4 or parts[0] not in PARTS:
        raise SourceError(
            f"{table}, row {row.number}: '{path}' is no path such as "
            "train/patient00001/study1/view1_frontal.jpg; download the table again"
        )
    return "/".join(parts[1:3]), path


def _place(path: str, folders: dict[str, str], suffix: str) -> str:
    part, _, inner = path.partition("/")
    return f"{folders[part]}/{inner.rpartition('.')[0]}{suffix}"


def _image(table: Path, row: Row, path: str, graph: Graph | None) -> Image:
    cells = row.cells
    if cells["split"] not in PARTS or not cells["deid_patient_id"]:
        raise SourceError(
            f"{table}, row {row.number}: the split '{cells['split'][:40]}' or the patient "
            f"'{cells['deid_patient_id'][:40]}' is none of CheXpert Plus; download the table again"
        )
    word = position(cells["ap_pa"])
    lateral = cells["frontal_lateral"].lower() == "lateral"
    return Image(
        row=row.number,
        path=path,
        position="LATERAL" if lateral else "" if word == "LATERAL" else word,
        patient=cells["deid_patient_id"],
        part=cells["split"],
        report=_report(cells),
        attributes={name: cells[name] for name in ATTRIBUTES if cells[name]},
        graph=graph,
    )


def _report(cells: dict[str, str]) -> str:
    """Sections under their headings; the whole report where what was seen is not told apart."""
    if any(cells[name] for name in READ):
        return under_headings((name, cells[name]) for name in SECTIONS)
    return cells["report"]
