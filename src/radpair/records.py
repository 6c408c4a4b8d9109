"""The vocabulary that every room speaks: studies, views, reports as text, knowledge graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "validate", "test")
PRESENT, ABSENT, UNCERTAIN, NOT_GIVEN = 1.0, 0.0, -1.0, float("nan")


@dataclass(frozen=True, slots=True)
class View:
    """One image of a study."""

    path: str
    """Relative to the source's root; in messages and tables it names the image."""
    position: str = ""
    """``PA``, ``AP``, ``LATERAL``, or empty where it is not known."""
    row: int | None = field(default=None, compare=False)
    """Where the source is a table: the row that names the image, as a spreadsheet counts it."""
    frame: int | None = None
    """Of a file with several frames, the one that is meant, from 1."""
    fault: str = ""
    """Why the source knows that the image cannot be used; the study set quarantines it with this
    sentence, which names the path."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A span of a report: an anatomy or an observation (RadGraph, Jain et al. 2021)."""

    text: str
    label: str
    """One of ``radpair.graphs.schema.ENTITY_LABELS``."""
    start: int
    """Index of the first token in ``Graph.text.split(" ")``."""
    end: int
    """Index of the last token, inclusive, as in RadGraph's JSON."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed link between two entities of one graph, given by their indices."""

    source: int
    type: str
    """One of ``radpair.graphs.schema.RELATION_TYPES``."""
    target: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The knowledge graph of one report; its text is tokens joined by single spaces."""

    text: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """One patient, one exam: its images, its report, and what else the source knows of it."""

    study_id: str
    patient_id: str
    """The unit that a split keeps together (a patient, or the group column of a table)."""
    views: tuple[View, ...]
    report: str = ""
    labels: Mapping[str, float] = field(default_factory=dict)
    """1 present, 0 absent, -1 uncertain, NaN not given."""
    split: str = ""
    """One of ``SPLITS`` where the source has an official split, else empty."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Further facts such as ``sex`` and ``age``."""
    graph: Graph | None = None
    """The graph that came with the source, if one did."""
    row: int | None = field(default=None, compare=False)
    """Where the source is a table: the row of the report, or the study's first."""
    no_report: str = ""
    """Why there is no report, where the source knows more than that it has no words."""


class Source(Protocol):
    """Where studies come from: a dataset on disk, or the synthetic phantom.

    A source is picklable, so that worker processes can read its images.
    """

    name: str

    def options(self) -> dict[str, Any]:
        """What the manifest records of how the source was opened (JSON values)."""
        ...

    def studies(self) -> Iterator[Study]:
        """Every study, always in the same order. Raises ``SourceError``."""
        ...

    def read(self, study: Study, view: int) -> NDArray[np.uint8]:
        """The pixels of one view, ``[height, width]``, 0 black (air) to 255 white (dense).

        Raises ``ImageError``.
        """
        ...


@runtime_checkable
class FileSource(Protocol):
    """A dataset of image files: it knows where they lie, and leaves decoding to the reader."""

    @property
    def name(self) -> str:
        """As in ``Source``."""
        ...

    def options(self) -> dict[str, Any]:
        """As in ``Source``."""
        ...

    def studies(self) -> Iterator[Study]:
        """As in ``Source``."""
        ...

    def path_of(self, study: Study, view: int) -> Path:
        """The file of one view."""
        ...
