"""VinDr-CXR 1.0.0: 18,000 PA chest films in DICOM, read by radiologists (Nguyen et al. 2022).

Where: https://physionet.org/content/vindr-cxr/1.0.0/, for credentialed users
after training. Terms: PhysioNet Credentialed Health Data License 1.5.0: no
sharing, no attempt to identify anyone.

Expected, as downloaded::

    annotations/image_labels_train.csv   image_id, rad_id, 28 columns of 0 and 1; three rows a film
    annotations/image_labels_test.csv    image_id, 28 columns; one row a film
    train/<image_id>.dicom               15,000
    test/<image_id>.dicom                3,000

Labels: all 28 columns (22 findings, 6 diagnoses with ``No finding``) under
their published names; ``Other diseases`` of the training table and ``Other
disease`` of the test table are both ``Other disease``. A film of train has
three readers of 17: ``majority`` takes what more than half say, ``any`` what
at least one says, ``unsure`` takes what all say and is -1 where they differ.
Test labels are the consensus of five. One film is one study and, since
patients are not told, one patient. Attributes: sex, age, readers. Official
splits: test; of train a share (``validate``) is held out by a hash of the
film's id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from radpair.errors import SourceError
from radpair.records import NOT_GIVEN, SPLITS, UNCERTAIN, Study, View
from radpair.sources.dataset import Dataset, grouped, need_table
from radpair.sources.folders import check_choice, check_files, check_share, held_out
from radpair.sources.headers import header_of
from radpair.sources.labels import is_blank
from radpair.sources.tabular import Row, column_names, iterate_rows

PLACE = "https://physionet.org/content/vindr-cxr/1.0.0/"
TRAIN, TEST = "image_labels_train.csv", "image_labels_test.csv"
IMAGE, READER = "image_id", "rad_id"
MAJORITY, ANY, UNSURE = "majority", "any", "unsure"
ALIASES = {"Other diseases": "Other disease"}
LABELS = 28


@dataclass(frozen=True, kw_only=True)
class VindrCxr(Dataset):
    """VinDr-CXR from its folder as downloaded; see the module for what is expected."""

    name: ClassVar[str] = "vindr-cxr"
    readers: Literal["majority", "any", "unsure"] = "majority"
    """How the three readers of a training film become one label: majority, any or unsure."""
    validate: float = 0.1
    """Share of the training films to hold out for validation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("readers", self.readers, (MAJORITY, ANY, UNSURE))
        check_share(self.validate)

    def tables(self) -> Sequence[Path]:
        """The annotations of train and of test. Raises ``SourceError``."""
        folder = self.root / "annotations"
        if not folder.is_dir():
            folder = self.root
        if (folder / "train.csv").is_file() and not (folder / TRAIN).is_file():
            raise SourceError(
                f"{folder}: holds the Kaggle competition's train.csv and not VinDr-CXR's "
                f"annotations; download {TRAIN} and {TEST} from {PLACE}"
            )
        get = f"download it from {PLACE}"
        return (need_table(folder, TRAIN, get=get), need_table(folder, TEST, get=get))

    def studies(self) -> Iterator[Study]:
        """Every film of train, then of test. Raises ``SourceError``."""
        train, test = self.tables()
        check_files(self.root, ("train", "test"), f"download them from {PLACE}")
        for file, split in ((train, SPLITS[0]), (test, SPLITS[2])):
            labels = _labels(file, READER if split == SPLITS[0] else None)
            for film, rows in grouped(_films(file), _rows(file, labels)):
                if split == SPLITS[2] and len(rows) > 1:
                    raise SourceError(
                        f"{file}, row {rows[1].number}: the film '{film}' stands in row "
                        f"{rows[0].number} already; download the table again from {PLACE}"
                    )
                yield self._study(file, film, rows, labels, split)

    def _study(
        self, file: Path, film: str, rows: Sequence[Row], labels: Sequence[str], split: str
    ) -> Study:
        path = f"{'train' if split == SPLITS[0] else 'test'}/{film}.dicom"
        kept = dict(header_of(self.root / path).attributes)
        return Study(
            study_id=film,
            patient_id=film,
            views=(View(path, "PA", rows[0].number),),
            labels={
                ALIASES.get(name, name): _decided(
                    [_vote(file, row, name) for row in rows], self.readers
                )
                for name in labels
            },
            split=held_out(film, self.validate) if split == SPLITS[0] else split,
            attributes={
                "sex": kept.get("sex", ""),
                "age": kept.get("age", ""),
                "readers": str(len(rows)) if split == SPLITS[0] else "consensus",
            },
        )


def _labels(file: Path, reader: str | None) -> list[str]:
    """The label columns in their order."""
    known = column_names(file)
    labels = [name for name in known if name not in (IMAGE, READER, "")]
    if IMAGE not in known or (reader and reader not in known) or len(labels) != LABELS:
        raise SourceError(
            f"{file}: is not VinDr-CXR's table of {LABELS} labels (it has {len(labels)}, and "
            f"needs {IMAGE}{f' and {reader}' if reader else ''}); download it from {PLACE}"
        )
    return labels


def _films(file: Path) -> Iterator[str]:
    return (row.cells[IMAGE] for row in iterate_rows(file, (IMAGE,)))


def _rows(file: Path, labels: Sequence[str]) -> Iterator[tuple[str, Row]]:
    for row in iterate_rows(file, (IMAGE, *labels)):
        film = row.cells[IMAGE]
        if not film or "/" in film or film.startswith("."):
            raise SourceError(f"{file}, row {row.number}: '{film[:40]}' is no film; mend the row")
        yield film, row


def _vote(file: Path, row: Row, label: str) -> float | None:
    text = row.cells[label]
    if is_blank(text):
        return None
    if text not in ("0", "1", "0.0", "1.0"):
        raise SourceError(
            f"{file}, row {row.number}, column '{label}': '{text[:20]}' is neither 0 nor 1; mend "
            "the value"
        )
    return float(text)


def _decided(votes: Sequence[float | None], rule: str) -> float:
    """One label of several readers; blank where none gave one."""
    given = [vote for vote in votes if vote is not None]
    if not given:
        return NOT_GIVEN
    if rule == UNSURE and len(set(given)) > 1:
        return UNCERTAIN
    needed = 0 if rule == ANY else len(given) / 2
    return float(sum(given) > needed)
