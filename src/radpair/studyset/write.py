"""Writes a study set: parts in parallel, resumable at any moment, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from radpair.errors import StudySetError
from radpair.places import located
from radpair.processes import check_count, cpus
from radpair.records import Study
from radpair.studyset import cluster, worker
from radpair.studyset.duplicates import EXACT
from radpair.studyset.files import writing_to
from radpair.studyset.intake import checked
from radpair.studyset.manifest import MANIFEST, PIXELS, QUARANTINE
from radpair.studyset.parts import IMAGE, AnySource, Done, Part
from radpair.studyset.plan import bench, clear, complete, plan_of, remove_all_drafts, start
from radpair.studyset.privacy import Pseudonyms
from radpair.studyset.settled import Settled
from radpair.studyset.store import Desk, check_reach
from radpair.studyset.summary import Summary, summary_of
from radpair.studyset.tables import finish
from radpair.studyset.traces import write_traces

PART = 256
"""Studies in one part, and so in one pixel shard."""

Progress = Callable[[int, int | None], None]
"""Called with the studies done and, where it is known, their number."""


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
    options: dict[str, Any] = {"size": size, "seed": seed, "fractions": fractions, "part": PART}
    options |= {"duplicates": duplicates, "stratify": stratify, "trim_borders": trim_borders}
    plan = plan_of(source, names, options)
    traces = ""
    once = getattr(source, "kept", nullcontext)  # what it found, for all passes over it
    with writing_to(place), once(), bench(place) as (out, desk):
        was_complete = (out / MANIFEST).is_file()
        if was_complete:
            manifest = complete(out, plan, desk)
        else:
            start(out, plan, desk)
            job = worker.Job(source, out, size, names, place if desk else None)
            parts = _write_parts(job, plan, processes, strict, progress, scheduler, desk)
            manifest = _finish(job, plan, parts, desk)
        if key is not None and names and (out / QUARANTINE).is_file():
            traces = write_traces(names, source.studies(), out, place, Path(key))
        clear(out, desk)
    summary = replace(summary_of(place, manifest, was_complete), traces=traces)
    if strict:
        _refuse_quarantine(place, summary)
    return summary


def _finish(job: worker.Job, plan: dict[str, Any], parts: int, desk: Desk | None) -> dict[str, Any]:
    """Writes what comes after the parts; returns the manifest."""
    source, out, names = job.source, job.out, job.names
    remove_all_drafts(out)  # of a cluster's worker that was killed
    remarks = [*getattr(source, "remarks", list)(), *(names.remarks if names else ())]
    manifest = finish(Settled(out, parts, plan["options"]["duplicates"]), plan, remarks)
    if desk:
        desk.send_tables(manifest)
    return manifest


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
    groups = _groups(checked(source, plan, job.names))
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
            f"in {out / QUARANTINE}; mend them, delete the folder and run the same "
            "command again, or leave out --strict"
        )
