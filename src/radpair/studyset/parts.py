"""One part of a study set, written by one process: a pixel shard and a record of its studies.

A part is finished when its record stands in ``.parts``; the record carries the hash of the
shard and of itself, so a later run can trust it or write the part again. What could not be read
is tried again by a later run, since it may have been mended.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.errors import ImageError, PlaceError, StudySetError
from radpair.images.borders import trim
from radpair.images.decode import decode, decode_film
from radpair.images.limits import MAX_BYTES, check_picture
from radpair.images.raster import shrink
from radpair.places import ForbiddenError, fetched
from radpair.records import FileSource, Source, Study, View
from radpair.reports import is_empty
from radpair.studyset.duplicates import content_of, likeness_of
from radpair.studyset.files import FileRecord, atomic, measure, write_bytes, writing_to
from radpair.studyset.graphs import check_graph
from radpair.studyset.manifest import PARTS, shard_name
from radpair.studyset.privacy import Pseudonyms

AnySource = Source | FileSource
IMAGE, REPORT = "image", "report"


@dataclass(frozen=True, slots=True)
class Part:
    """Some studies in a row, each with its split."""

    index: int
    studies: tuple[Study, ...]
    trim: bool = False
    """Whether frames around films are cut."""

    def fingerprint(self, size: int) -> str:
        """Changes when anything about the studies changes."""
        return hashlib.sha256(repr((size, self.trim, self.studies)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """What the writing process needs to know of a finished part."""

    index: int
    studies: int
    quarantined: tuple[tuple[str, str, str], ...]
    """Kind, path and reason of each entry."""


def write_part(
    source: AnySource, part: Part, out: Path, size: int, names: Pseudonyms | None = None
) -> Done:
    """Writes one part, or finds it finished by an earlier run; with ``names``, under pseudonyms.

    Raises ``StudySetError``.
    """
    fingerprint = part.fingerprint(size)
    body = finished(out, part.index, fingerprint)
    if body is None or not holds(source, part, body, size, names):
        with writing_to(out):
            body = _write(source, part, out, size, fingerprint, names)
    return done_of(part, body)


def done_of(part: Part, body: dict[str, Any]) -> Done:
    """What the writing process needs to know of a part with the record ``body``."""
    entries = tuple((q["kind"], q["path"], q["reason"]) for q in body["quarantine"])
    return Done(part.index, len(part.studies), entries)


def record_path(out: Path, index: int) -> Path:
    """What is known of one part, by its place from 0, while the set is written."""
    return out / PARTS / f"{index:05d}.json"


def finished(out: Path, index: int, fingerprint: str) -> dict[str, Any] | None:
    """The record of a part that is whole, unaltered and made from the same studies."""
    body = read_record(out, index)
    shard = out / shard_name(index)
    if body is None or body["fingerprint"] != fingerprint or not shard.is_file():
        return None
    return body if measure(shard) == FileRecord(**body["shard"]) else None


def holds(
    source: AnySource, part: Part, body: dict[str, Any], size: int, names: Pseudonyms | None
) -> bool:
    """Whether the record ``body`` says of ``part`` what reading its images would say now.

    Those that could be read are trusted; each of the others is tried again.
    """
    if body["fingerprint"] != part.fingerprint(size):
        return False
    unread: dict[str, str] | None = body.get("unread")
    if unread is None:  # as an earlier version wrote it
        return not any(entry["kind"] == IMAGE for entry in body["quarantine"])
    for place, reason in unread.items():
        study, view = (int(number) for number in place.split("/"))
        if _read(source, part.studies[study], view, size, part.trim, names) != reason:
            return False
    return True


def read_record(out: Path, index: int) -> dict[str, Any] | None:
    """The record of one part; None when it is missing or its own hash does not hold."""
    path = record_path(out, index)
    if not path.is_file():
        return None
    digest, _, text = path.read_bytes().partition(b"\n")
    if hashlib.sha256(text).hexdigest().encode() != digest:
        return None
    body: dict[str, Any] = json.loads(text)
    return body


def _write(
    source: AnySource,
    part: Part,
    out: Path,
    size: int,
    fingerprint: str,
    names: Pseudonyms | None,
) -> dict[str, Any]:
    studies: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    quarantine: list[dict[str, Any]] = []
    unread: dict[str, str] = {}
    with atomic(out / shard_name(part.index)) as shard:
        for place, given in enumerate(part.studies):
            study = names.shown(given) if names else given
            kept = 0
            for number, view in enumerate(study.views):
                found = _read(source, given, number, size, part.trim, names)
                if isinstance(found, str):
                    unread[f"{place}/{number}"] = found
                    quarantine.append(_entry(IMAGE, view.path, study, found, view.row))
                    continue
                pixels, cut = found
                where = {"study": len(studies), "offset": shard.file.count}
                images.append(where | _image_row(study, view, pixels, cut))
                shard.write(np.ascontiguousarray(pixels))
                kept += 1
            if kept:
                studies.append(_study_row(study, kept, quarantine))
            elif not study.views:
                quarantine.append(_entry(IMAGE, "", study, "the study has no image"))
        if not images:
            _check_access(unread)
    body = {
        "fingerprint": fingerprint,
        "shard": shard.record.as_json(),
        "studies": studies,
        "images": images,
        "quarantine": quarantine,
        "unread": unread,
        "left_out": len(part.studies) - len(studies),
    }
    text = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    digest = hashlib.sha256(text).hexdigest().encode()
    write_bytes(record_path(out, part.index), digest + b"\n" + text)
    return body


def _read(
    source: AnySource,
    study: Study,
    number: int,
    size: int,
    trimmed: bool,
    names: Pseudonyms | None,
) -> tuple[NDArray[np.uint8], float] | str:
    """What ``_pixels`` gives, or why the image cannot be used.

    A fault of the source is a ``StudySetError``, lest it be taken for one of the output.
    """
    name = study.views[number].path
    try:
        return _pixels(source, study, number, size, trimmed)
    except ImageError as error:
        return names.reason(study, number, str(error)) if names else str(error)
    except ForbiddenError:
        reason = f"{name}: cannot be opened (the store refuses to give it); check its permission"
        return _Refused(names.reason(study, number, reason) if names else reason)
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise StudySetError(
            f"source '{source.name}' cannot read {name} ({why}); mend it and run the same command "
            "again"
        ) from error


class _Refused(str):
    """The reason of an image that its store does not give to these credentials."""

    __slots__ = ()


def _check_access(unread: Mapping[str, str]) -> None:
    """Of a part without any image: raises ``PlaceError`` where its store refused one."""
    for reason in unread.values():
        if isinstance(reason, _Refused):
            raise PlaceError(
                f"{reason}, or the credentials and endpoint of the store: none of the images near "
                "it can be read; then run the same command again"
            )


def _pixels(
    source: AnySource, study: Study, number: int, size: int, trimmed: bool
) -> tuple[NDArray[np.uint8], float]:
    """The picture as it is stored, and the share of its area that was cut as a frame."""
    view = study.views[number]
    name = view.path
    if view.fault:
        raise ImageError(view.fault)
    if isinstance(source, FileSource):
        with fetched(source.path_of(study, number), MAX_BYTES) as path:
            try:
                if trimmed:
                    return decode_film(path, size, view.frame)
                return decode(path, size, view.frame), 0.0
            except ImageError as error:  # a study set names images by their relative path
                raise ImageError(str(error).replace(str(path), name)) from error
    pixels = source.read(study, number)
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise StudySetError(
            f"source '{source.name}' gave {pixels.dtype} {pixels.shape} for {name}, where uint8 "
            "[height, width] is agreed; mend the source"
        )
    check_picture(name, pixels)
    film, cut = trim(pixels) if trimmed else (pixels, 0.0)
    return shrink(film, size), cut


def _image_row(study: Study, view: View, pixels: NDArray[np.uint8], cut: float) -> dict[str, Any]:
    height, width = pixels.shape
    return {
        "path": view.path,
        "position": view.position,
        "row": study.row if view.row is None else view.row,
        "height": height,
        "width": width,
        "trimmed": round(cut, 4),
        "content": content_of(pixels),
        "likeness": likeness_of(pixels),
    }


def _study_row(study: Study, images: int, quarantine: list[dict[str, Any]]) -> dict[str, Any]:
    reason = is_empty(study.report) and (study.no_report or is_empty(study.report))
    if reason is not None:
        path = study.views[0].path if study.views else ""
        quarantine.append(_entry(REPORT, path, study, reason))
    return {
        "study_id": study.study_id,
        "patient_id": study.patient_id,
        "split": study.split,
        "report": study.report if reason is None else "",
        "images": images,
        "attributes": dict(sorted(study.attributes.items())),
        "labels": _labels(study),
        "graph": _graph_row(study),
    }


def _labels(study: Study) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else float(value) for name, value in study.labels.items()
    }


def _graph_row(study: Study) -> Mapping[str, Any] | None:
    """Raises ``GraphError`` for a graph that does not follow the schema."""
    if study.graph is None:
        return None
    check_graph(study.study_id, study.graph)
    return asdict(study.graph)


def _entry(
    kind: str, path: str, study: Study, reason: str, row: int | None = None
) -> dict[str, Any]:
    row = study.row if row is None else row
    return {"kind": kind, "path": path, "study_id": study.study_id, "row": row, "reason": reason}
