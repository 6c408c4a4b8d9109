"""``radpair ingest``: one verb for each source, made from the source's own options and words."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

from cyclopts import App, Group, Parameter

from radpair.errors import RadpairError
from radpair.sources import SOURCES

if TYPE_CHECKING:
    from radpair.records import FileSource
    from radpair.studyset.parts import AnySource

Many = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
ROOT = "root"
OWN = {"table", "dicom", "pairs"}
MINE, PUBLIC, SYNTHETIC = (
    Group("Your own data", sort_key=1),
    Group("Public datasets, from their folders as downloaded", sort_key=2),
    Group("Synthetic", sort_key=3),
)

app = App(name="ingest", help="Write a study set: from your data, a public dataset, the phantom.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Writing:
    """How a study set is written, the same for every source."""

    out: Path
    """The folder of the study set."""
    size: int = 320
    """Shorter side of the stored images, pixels; smaller images stay as they are."""
    seed: int = 0
    """Of the split by patient, where there is no official one."""
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of train, validate and test, where there is no official split."""
    stratify: Many = ()
    """Labels of which the seeded splits get equal shares, such as Edema "Pleural Effusion"."""
    trim_borders: bool = False
    """Cut the black, white or grey frame around a film, and letters that stand in it."""
    processes: int | None = None
    """Worker processes; every core if not given."""
    scheduler: str | None = None
    """Address of a Dask scheduler whose workers do it instead, such as tcp://HOST:8786."""
    strict: bool = False
    """Stop at the first image or report that cannot be used."""
    near_duplicates: bool = False
    """Quarantine near duplicates too; exact ones are in any case."""
    keep_duplicates: bool = False
    """Keep images of which an earlier one has the same pixels."""
    pseudonymise: Path | None = None
    """File with a secret key: ids become keyed hashes, dates days from the patient's first."""

    def duplicates(self) -> str:
        """The rule for images that are there twice. Raises ``RadpairError``."""
        if self.near_duplicates and self.keep_duplicates:
            raise RadpairError("--near-duplicates and --keep-duplicates: give one of them")
        return "near" if self.near_duplicates else "keep" if self.keep_duplicates else "exact"


@app.command(group=SYNTHETIC)
def phantom(
    *,
    out: Path,
    studies: int = 3000,
    seed: int = 0,
    size: int = 224,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    processes: int | None = None,
) -> None:
    """Synthetic studies whose truth is known: films, reports, graphs, labels.

    Args:
        out: The folder of the study set.
        studies: How many studies; a larger number begins with the same ones.
        seed: Of the synthetic hospital.
        size: Height and width of the films, pixels.
        fractions: Shares of train, validate and test; patients are never divided.
        processes: Worker processes; every core if not given.
    """
    from radpair.phantom import Phantom

    options = Writing(out=out, size=size, seed=seed, fractions=fractions, processes=processes)
    _write(Phantom(studies=studies, seed=seed, size=size), options)


@app.command(group=MINE)
def table(
    file: Path,
    /,
    *,
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
    frame: int | None = None,
    encoding: str = "utf-8",
    writing: Writing,
) -> None:
    """A table (CSV, TSV, JSONL, Parquet) of images, reports and labels.

    Args:
        file: The table: .csv, .tsv, .jsonl or .parquet.
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
        frame: Of DICOM files with several frames, the one to take, counted from 1.
        encoding: Of a CSV, TSV or JSONL table, such as cp1252 or utf-16.
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
        frame=frame,
        encoding=encoding,
    )
    _write(source, writing)


def verb(source: type[FileSource]) -> Callable[..., None]:
    """The function behind ``radpair ingest NAME ROOT --out SET``.

    The fields of the source are its options, their docstrings the help. ``source`` is a keyword
    dataclass with a field ``root``.
    """

    def ingest(root: Path, /, *, writing: Writing, **options: Any) -> None:
        _write(source(**{ROOT: root}, **options), writing)

    parameters = [_option(field, source) for field in _options(source)]
    root = inspect.Parameter(
        ROOT,
        inspect.Parameter.POSITIONAL_ONLY,
        annotation=Annotated[Path, Parameter(help=_field_help(source)[ROOT])],
    )
    writing = inspect.Parameter("writing", inspect.Parameter.KEYWORD_ONLY, annotation=Writing)
    ingest.__signature__ = inspect.Signature([root, *parameters, writing])  # type: ignore[attr-defined]
    ingest.__annotations__ = {
        parameter.name: parameter.annotation for parameter in (root, *parameters, writing)
    }
    ingest.__doc__ = ingest.__name__ = ""
    return ingest


def _options(source: type[FileSource]) -> list[Field[Any]]:
    return [field for field in fields(source) if field.init and field.name != ROOT]  # type: ignore[arg-type]


def _option(field: Field[Any], source: type[FileSource]) -> inspect.Parameter:
    kind = get_type_hints(source)[field.name]
    if field.default_factory is not MISSING:
        default = field.default_factory()
    else:
        default = inspect.Parameter.empty if field.default is MISSING else field.default
    told = Parameter(
        help=_field_help(source)[field.name], consume_multiple=get_origin(kind) is tuple
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, told],
    )


def _field_help(source: type[FileSource]) -> dict[str, str]:
    """The docstring below each field, those of base classes too."""
    from docstring_parser import parse_from_object

    found: dict[str, str] = {}
    for base in reversed(source.__mro__[:-1]):
        for told in parse_from_object(base).params:
            found[told.arg_name] = " ".join((told.description or "").split())
    return found


def _help(source: type[FileSource]) -> str:
    return inspect.cleandoc(sys.modules[source.__module__].__doc__ or "")


def _write(source: AnySource, options: Writing) -> None:
    from radpair.progress import counting
    from radpair.studyset import write

    with counting(f"ingest {source.name}") as progress:
        summary = write(
            source,
            options.out,
            size=options.size,
            processes=options.processes,
            seed=options.seed,
            fractions=options.fractions,
            strict=options.strict,
            progress=progress,
            duplicates=options.duplicates(),
            key=options.pseudonymise,
            stratify=options.stratify,
            scheduler=options.scheduler,
            trim_borders=options.trim_borders,
        )
    print(summary)


for _word, _source in SOURCES.items():
    if _word != "table":
        app.command(
            verb(_source),
            name=_word,
            help=_help(_source),
            help_format="plaintext",
            group=MINE if _word in OWN else PUBLIC,
        )
