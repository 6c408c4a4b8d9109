"""Writes a study set: parts in parallel, resumable at any moment, the same bytes every time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from radpair.errors import StudySetError, nearest
from radpair.places import Place, located
from radpair.processes import check_count, cpus
from radpair.records import FileSource, Study
from radpair.studyset import cluster, worker
from radpair.studyset.duplicates import EXACT, KEEP, NEAR, RULES
from radpair.studyset.files import remove_drafts, write_json, writing_to
from radpair.studyset.manifest import (
    FORMAT,
    MANIFEST,
    NEAR_DUPLICATES,
    PARTS,
    PIXELS,
    PLAN,
    QUARANTINE,
    check_beheaded,
    check_sizes,
    first_difference,
    read_json,
    read_manifest,
)
from radpair.studyset.offsets import first_dates, without_dates
from radpair.studyset.parts import IMAGE, AnySource, Done, Part
from radpair.studyset.privacy import Pseudonyms
from radpair.studyset.settled import Settled
from radpair.studyset.splits import PatientSplits, check_fractions, split_of
from radpair.studyset.store import Desk, check_reach, desk_for
from radpair.studyset.strata import strata_of, stratified
from radpair.studyset.tables import finish
from radpair.studyset.traces import write_traces

PART = 256
"""Studies in one part, and so in one pixel shard."""

SIZES = (32, 10_000)
"""Pixels; no picture that is read has a shorter side above the larger (``images.limits``)."""

Progress = Callable[[int, int | None], None]
"""Called with the studies done and, where it is known, their number."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a study set holds and what was left out, for the user to read."""

    path: Path
    studies: int
    images: int
    patients: int
    splits: dict[str, int]
    labels: tuple[str, ...]
    quarantined_images: int
    unusable_reports: int
    studies_left_out: int
    source_graphs: int
    pixel_bytes: int
    exact_duplicates: int
    near_duplicates: int
    """Both are among the quarantined images."""
    near_across_splits: int
    """Images that stay and are like one of an earlier split."""
    was_complete: bool
    """True when the set was finished before and nothing was written."""
    trimmed_images: int | None = None
    """Images whose borders were trimmed; None where that was not asked for."""
    remarks: tuple[str, ...] = ()
    """What the source said of its reading, such as what it left out."""
    traces: str = ""
    """Where a set with pseudonyms has its quarantine under its own names."""

    def __str__(self) -> str:
        state = "was complete already" if self.was_complete else "is complete"
        splits = ", ".join(f"{name} {count:,}" for name, count in self.splits.items())
        lines = [
            f"Study set {self.path} {state}: {self.studies:,} studies of {self.patients:,} "
            f"patients, {self.images:,} images ({self.pixel_bytes / 1e6:,.1f} MB of pixels).",
            f"Splits: {splits}.",
        ]
        if self.trimmed_images is not None:
            lines.append(f"Borders were trimmed of {self.trimmed_images:,} images.")
        if self.quarantined_images or self.unusable_reports or self.studies_left_out:
            lines.append(
                f"Quarantined: {self.quarantined_images:,} images and {self.unusable_reports:,} "
                f"reports; {self.studies_left_out:,} studies left out for want of an image. "
                f"The reasons are in {self.path / 'quarantine.parquet'}."
            )
        lines += [*self._duplicates(), *self.remarks, self.traces]
        return "\n".join(line for line in lines if line)

    def _duplicates(self) -> list[str]:
        lines = []
        if self.exact_duplicates or self.near_duplicates:
            near = f", {self.near_duplicates:,} near" if self.near_duplicates else ""
            lines.append(
                "Duplicates among these, each of an earlier image that stays: "
                f"{self.exact_duplicates:,} exact{near}."
            )
        if self.near_across_splits:
            lines.append(
                f"Kept near duplicates of an image in an earlier split: {self.near_across_splits:,}"
                f", in {self.path / NEAR_DUPLICATES}; --near-duplicates quarantines them."
            )
        return lines


def write(
    source: AnySource,
    out: Path | str,
    size: int = 320,
    processes: int | None = None,
    seed: int = 0,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    strict: bool = False,
    progress: Progress | None = None,
    duplicates: str = EXACT,
    key: Path | None = None,
    stratify: Sequence[str] = (),
    scheduler: str | None = None,
    trim_borders: bool = False,
) -> Summary:
    """Writes the studies of ``source`` to the study set ``out``, or continues where it stopped.

    Images become uint8 ``[height, width]``, 0 black (air) to 255 white (dense), shorter side at
    most ``size`` pixels. A study keeps its source's split; otherwise ``seed`` and ``fractions``
    (train, validate, test) decide by the patient's id. Unusable images and empty reports are
    quarantined with a reason; with ``strict`` the first of them stops the work. When no study
    has a report the set is one of images only, and no report is counted as missing.

    With ``trim_borders`` the frame around a film is cut first (``images.borders``). An image that
    repeats an earlier one is quarantined by ``duplicates``: ``exact`` where the stored pixels are
    the same, ``near`` also where they are alike (``studyset.duplicates``), ``keep`` never. With
    the file ``key``, ids become pseudonyms and dates offsets (``studyset.privacy``), and the split
    is decided by the pseudonym. With names of labels in ``stratify``, the seeded splits get equal
    shares of them (``studyset.strata``).

    ``processes`` (default: every CPU) start afresh and import the calling script, so a script
    calls this under ``if __name__ == "__main__"``. With ``scheduler``, the address of a Dask
    scheduler, its workers prepare the parts instead (``studyset.cluster``). The bytes do not
    depend on it. ``out`` may be the URL of a place in an object store (``studyset.store``).

    Raises ``StudySetError``, ``WorkerError`` for their number, ``SourceError`` from the source.
    """
    place = located(out)
    check_count("--processes", processes)
    if scheduler is not None:
        cluster.check_scheduler(scheduler, processes)
    check_reach(place, processes)
    names = Pseudonyms.read(Path(key), place) if key is not None else None
    plan = _plan(source, size, seed, check_fractions(fractions), duplicates, names)
    if stratify:
        plan["options"]["stratify"] = list(dict.fromkeys(stratify))
    if trim_borders:
        plan["options"]["trim_borders"] = True
    traces = ""
    once = getattr(source, "kept", nullcontext)  # what it found, for all passes over it
    with writing_to(place), once(), _bench(place) as (out, desk):
        was_complete = (out / MANIFEST).is_file()
        if was_complete:
            manifest = _complete(out, plan, desk)
        else:
            _start(out, plan, desk)
            job = worker.Job(source, out, size, names, place if desk else None)
            parts = _write_parts(job, plan, processes, strict, progress, scheduler, desk)
            _remove_drafts(out)  # of a cluster's worker that was killed
            remarks = [*getattr(source, "remarks", list)(), *(names.remarks if names else ())]
            manifest = finish(Settled(out, parts, duplicates), plan, remarks)
            if desk:
                desk.send_tables(manifest)
        if key is not None and names and (out / QUARANTINE).is_file():
            traces = write_traces(names, source.studies(), out, place, Path(key))
        _clear(out, desk)
    summary = replace(summary_of(place, manifest, was_complete), traces=traces)
    if strict:
        _refuse_quarantine(place, summary)
    return summary


def _clear(out: Path, desk: Desk | None) -> None:
    """Removes the records of the parts, which a finished set does not need."""
    if desk:
        desk.clear()
    else:
        shutil.rmtree(out / PARTS, ignore_errors=True)


_UNCOUNTED = {"exact_duplicates": 0, "near_duplicates": 0, "near_across_splits": 0}
"""What the manifests of sets do not count that were made before duplicates were looked for."""
_FLAGS = {
    EXACT: "without --near-duplicates and --keep-duplicates",
    NEAR: "with --near-duplicates",
    KEEP: "with --keep-duplicates",
}
"""What was asked for by the rule for duplicates that a set was made with."""


def summary_of(out: Path, manifest: dict[str, Any], was_complete: bool = True) -> Summary:
    """The summary that a manifest gives."""
    counts = _UNCOUNTED | manifest["counts"]
    return Summary(
        path=out,
        labels=tuple(manifest["labels"]),
        was_complete=was_complete,
        remarks=tuple(manifest.get("remarks", ())),
        **{name: counts[name] for name in counts.keys() & Summary.__slots__},
    )


def _plan(
    source: AnySource,
    size: int,
    seed: int,
    fractions: tuple[float, ...],
    duplicates: str,
    names: Pseudonyms | None,
) -> dict[str, Any]:
    if duplicates not in RULES:
        raise StudySetError(f"duplicates '{duplicates}' is unknown{nearest(duplicates, RULES)}")
    if not SIZES[0] <= size <= SIZES[1]:
        raise StudySetError(f"--size {size}: give {SIZES[0]} to {SIZES[1]} pixels")
    options = {"size": size, "seed": seed, "fractions": list(fractions), "part": PART}
    options |= {"duplicates": duplicates}
    if names:
        options["pseudonyms"] = names.options()
    return {
        "source": {"name": source.name, "options": source.options()},
        "options": options,
    }


@contextmanager
def _bench(place: Path) -> Iterator[tuple[Path, Desk | None]]:
    """The folder to work in: the set's own, or for a store one of which things are sent there."""
    if isinstance(place, Place):
        with desk_for(place) as desk:
            desk.begin()
            yield desk.folder, desk
    else:
        with _claimed(place):
            yield place, None


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Creates the folder and keeps other writers away from it."""
    if out.exists() and not out.is_dir():
        raise StudySetError(f"{out}: is a file; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudySetError(
                f"{out}: another process is writing this study set; wait for it to end"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _complete(out: Path, plan: dict[str, Any], desk: Desk | None) -> dict[str, Any]:
    manifest = read_manifest(out)
    manifest["options"] = {"duplicates": KEEP} | manifest["options"]  # as before there was a rule
    _refuse_other(out, {key: manifest.get(key) for key in plan}, plan)
    if desk:
        desk.check_sizes(manifest["files"])
    else:
        check_sizes(out, manifest)
    return manifest


def _start(out: Path, plan: dict[str, Any], desk: Desk | None) -> None:
    """Prepares a fresh folder, or checks that the unfinished one has the same plan.

    A plan of which no part was finished yet (its source had a mistake) gives way to the new one.
    """
    full = {"format": FORMAT, **plan}
    begun = next((out / PARTS).glob("[0-9]*.json"), None) is not None
    if (out / PARTS / PLAN).is_file() and begun:
        _refuse_other(out, read_json(out / PARTS / PLAN), full)
    else:
        check_beheaded(out)
        foreign = sorted(p.name for p in out.iterdir() if p.name not in (PARTS, PIXELS))
        unknown = (out / PIXELS).exists() and not (out / PARTS).exists()
        if foreign or unknown:
            raise StudySetError(
                f"{out}: is not empty (it holds {(foreign or [PIXELS])[0]}) and is no study set; "
                "choose another --out"
            )
        (out / PARTS).mkdir(exist_ok=True)
        for shard in (out / PIXELS).glob("*.bin"):
            shard.unlink()
        write_json(out / PARTS / PLAN, full)
    (out / PIXELS).mkdir(exist_ok=True)
    _remove_drafts(out)
    if desk:
        desk.send_plan()


def _remove_drafts(out: Path) -> None:
    for folder in (out, out / PARTS, out / PIXELS):
        remove_drafts(folder)


def _refuse_other(out: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    difference = first_difference(old, new)
    if difference:
        options = old.get("options")
        rule = options.get("duplicates", KEEP) if isinstance(options, dict) else ""
        asked = "options.duplicates" in difference and rule in RULES
        same = f" ({_FLAGS[str(rule)]})" if asked else ""
        raise StudySetError(
            f"{out}: holds a study set made otherwise: {difference}; give the same options{same}, "
            "choose another --out, or delete the folder"
        )


def _checked(source: AnySource, plan: dict[str, Any], names: Pseudonyms | None) -> Iterator[Study]:
    """The studies with their splits; stops at a second study id or a patient in two splits."""
    splits, known = PatientSplits(f"source '{source.name}'"), set()
    options = plan["options"]
    seed, fractions = options["seed"], options["fractions"]
    drawn: dict[str, str] = {}
    if labels := options.get("stratify"):
        strata = strata_of(source.studies(), labels)
        drawn = stratified(strata, seed, fractions, names.patient if names else str)
    studies = source.studies()
    if names:
        studies = without_dates(studies, first_dates(source.studies()), names.remarks)
    for study in studies:
        if study.study_id in known:
            raise StudySetError(
                f"source '{source.name}' gives the study id '{study.study_id}' twice; make the "
                "ids unique"
            )
        known.add(study.study_id)
        _check_inside(source, study)
        patient = names.patient(study.patient_id) if names else study.patient_id
        split = study.split or drawn.get(study.patient_id) or split_of(patient, seed, fractions)
        splits.add(study.patient_id, split, study.study_id)
        yield replace(study, split=split)


def _check_inside(source: AnySource, study: Study) -> None:
    """Raises ``StudySetError`` for an image outside the folder of a source of files."""
    if not isinstance(source, FileSource):
        return
    for view in study.views:
        path = PurePosixPath(view.path)
        if path.is_absolute() or ".." in path.parts:
            raise StudySetError(
                f"source '{source.name}' gives study '{study.study_id}' the image '{view.path}', "
                "which leads out of its folder; mend the file that names it, or the source"
            )


def _write_parts(
    job: worker.Job,
    plan: dict[str, Any],
    processes: int | None,
    strict: bool,
    progress: Progress | None,
    scheduler: str | None,
    desk: Desk | None,
) -> int:
    """Writes all parts in order of index; returns how many there are."""
    source, out = job.source, job.out
    total = len(source) if isinstance(source, Sized) else None
    groups = _groups(_checked(source, plan, job.names))
    trim = plan["options"].get("trim_borders", False)
    parts = (Part(index, studies, trim) for index, studies in enumerate(groups))
    count = studies = 0
    if progress:
        progress(0, total)
    try:
        for done in (
            cluster.done_parts(job, parts, scheduler)
            if scheduler
            else worker.done_parts(job, parts, processes or cpus())
        ):
            count, studies = count + 1, studies + done.studies
            if desk and scheduler:
                desk.take(done.index)
            if strict:
                _refuse_image(out, done)
            if progress:
                progress(studies, total)
    except StudySetError as error:
        raise _with_need(error, out, total) from error
    return count


def _groups(studies: Iterator[Study]) -> Iterator[tuple[Study, ...]]:
    while group := tuple(islice(studies, PART)):
        yield group


def _with_need(error: StudySetError, out: Path, total: int | None) -> StudySetError:
    """Adds how much space the rest needs, as far as the finished parts tell."""
    shards = [path.stat().st_size for path in (out / PIXELS).glob("*.bin")]
    if "no space left" not in str(error) or not shards or not total:
        return error
    need = sum(shards) / len(shards) * max(total / PART - len(shards), 0.0)
    return StudySetError(f"{error} (about {need / 1e6:,.1f} MB more are needed)")


def _refuse_image(out: Path, done: Done) -> None:
    for kind, _, reason in done.quarantined:
        if kind == IMAGE:
            raise StudySetError(
                f"{out}: stopped by --strict: {reason}; then run the same command again"
            )


def _refuse_quarantine(out: Path, summary: Summary) -> None:
    if summary.quarantined_images or summary.unusable_reports:
        raise StudySetError(
            f"{out}: is complete, but --strict allows no quarantine and "
            f"{summary.quarantined_images:,} images and {summary.unusable_reports:,} reports are "
            f"in {out / 'quarantine.parquet'}; mend them, delete the folder and run the same "
            "command again, or leave out --strict"
        )
