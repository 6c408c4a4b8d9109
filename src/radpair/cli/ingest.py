"""``radpair ingest``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from radpair.studyset.parts import AnySource

Many = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]


def phantom(
    *,
    out: Path,
    studies: int = 3000,
    seed: int = 0,
    size: int = 224,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    processes: int | None = None,
) -> None:
    """Render synthetic studies with their reports, graphs and truth labels.

    Args:
        out: The folder of the study set.
        studies: How many studies; a larger number begins with the same ones.
        seed: Of the synthetic hospital.
        size: Height and width of the films, pixels.
        fractions: Shares of train, validate and test; patients are never divided.
        processes: Worker processes; every core if not given.
    """
    from radpair.phantom import Phantom

    _write(Phantom(studies=studies, seed=seed, size=size), out, size, processes, seed, fractions)


def table(
    file: Path,
    /,
    *,
    out: Path,
    image_column: str,
    patient_column: str,
    text_column: str | None = None,
    root: Path | None = None,
    label_columns: Many = (),
    label_separator: str = "|",
    study_column: str | None = None,
    split_column: str | None = None,
    view_column: str | None = None,
    attribute_columns: Many = (),
    size: int = 320,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    processes: int | None = None,
    strict: bool = False,
) -> None:
    """Write a study set from a table of images, reports and labels.

    Args:
        file: The table: .csv, .tsv, .jsonl or .parquet.
        out: The folder of the study set.
        image_column: Paths of the images, from the root.
        patient_column: What a split keeps together: the patient, or a wider group.
        text_column: The reports; leave it out for images alone.
        root: Where image paths start; the table's own folder if not given.
        label_columns: Columns of 1, 0, -1 or blank, or one column of names.
        label_separator: Joins the names in a single label column.
        study_column: Rows with one value are one study of several images.
        split_column: Official splits: train, validate, test.
        view_column: PA, AP or lateral.
        attribute_columns: Further columns to keep, such as sex and age.
        size: Shorter side of the stored images, pixels; smaller images stay as they are.
        seed: Of the split by patient.
        fractions: Shares of train, validate and test where there is no official split.
        processes: Worker processes; every core if not given.
        strict: Stop at the first image or report that cannot be used.
    """
    from radpair.sources import Table

    source = Table(
        file=file,
        root=root or file.parent,
        image_column=image_column,
        patient_column=patient_column,
        text_column=text_column,
        label_columns=label_columns,
        label_separator=label_separator,
        study_column=study_column,
        split_column=split_column,
        view_column=view_column,
        attribute_columns=attribute_columns,
    )
    _write(source, out, size, processes, seed, fractions, strict)


def _write(
    source: AnySource,
    out: Path,
    size: int,
    processes: int | None,
    seed: int,
    fractions: Sequence[float],
    strict: bool = False,
) -> None:
    from radpair.progress import counting
    from radpair.studyset import write

    with counting(f"ingest {source.name}") as progress:
        summary = write(source, out, size, processes, seed, fractions, strict, progress)
    print(summary)
