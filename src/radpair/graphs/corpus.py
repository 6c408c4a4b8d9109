"""The graphs of a whole corpus of reports: in order, resumable, one report in memory at a time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import Any

from radpair.errors import GraphError
from radpair.graphs.files import Journal, csv_row, journal, whole, without_table
from radpair.graphs.origin import Chunk, Entry, Origin, encodable
from radpair.graphs.tables import counted, entities_and_relations
from radpair.reports.reading import Account
from radpair.sources.reports import ReportText

CHUNK, CHARACTERS = 64, 200_000
"""A chunk has at most so many reports, and ends after so many characters."""

Reports = Callable[[], Iterable[ReportText]]
"""Gives all reports, each time in the same order; ids are unique."""
Progress = Callable[[int, int | None], None]
Say = Callable[[str], None]


@dataclass(slots=True)
class Totals:
    """What the entries of a corpus add up to."""

    reports: int = 0
    entities: int = 0
    relations: int = 0
    without: Counter[str] = field(default_factory=Counter)
    """Reports without an entity, by reason."""
    account: Account = field(default_factory=Account)

    def add(self, entry: Entry) -> None:
        """Counts one more report."""
        self.reports += 1
        self.entities += entry.entities
        self.relations += entry.relations
        self.account.reports += 1
        self.account.read += entry.words
        self.account.left_out_words.update(entry.left_out)
        self.account.left_out_reports.update(entry.left_out.keys())
        if entry.reason:
            self.without[entry.reason] += 1

    def lines(self) -> list[str]:
        """What was left out and why, a line each."""
        reasons = sorted(self.without.items(), key=lambda item: (-item[1], item[0]))
        told = [
            f"without an entity: {counted(count, 'report')} ({reason})" for reason, count in reasons
        ]
        return [*told, *self.account.lines()]

    def as_json(self) -> dict[str, Any]:
        """JSON values for a manifest."""
        account = self.account.as_json()
        return {
            "words_read": account["words_read"],
            "left_out": account["left_out"],
            "without_entities": dict(sorted(self.without.items())),
        }


@dataclass(frozen=True, slots=True)
class CorpusResult:
    """What was written, for the user to read."""

    out: Path
    without: Path
    """The table of reports without an entity and the reason of each."""
    totals: Totals

    def __str__(self) -> str:
        totals = self.totals
        lines = [
            f"{self.out}: {counted(totals.reports, 'graph')}, "
            f"{entities_and_relations(totals.entities, totals.relations)}.",
            *totals.lines(),
        ]
        if totals.without:
            lines.append(f"The reports without an entity are listed in {self.without}.")
        return "\n".join(lines)


def write_corpus(
    reports: Reports,
    out: Path,
    origin: Origin,
    progress: Progress | None = None,
    say: Say | None = None,
) -> CorpusResult:
    """Writes the graphs of ``reports`` as RadGraph JSON, a report a line, in the reports' order.

    Every report has its graph; those without an entity are also listed, with their reasons, in
    ``OUT.without-entity.csv``. Killed at any moment and called again, it continues where it
    stopped; the bytes do not depend on that, nor on the number of processes. ``say`` is told of a
    continuation or a fresh start. Raises ``GraphError``, and ``SourceError`` from the reports.
    """
    if out.is_dir():
        raise GraphError(f"{out}: is a folder; name a file, such as {out / 'graphs.json'}")
    if not out.parent.is_dir():
        raise GraphError(f"{out.parent}: there is no such folder; make it, or choose another --out")
    without, part = beside(out)
    with gathered(reports, origin, part, progress, say) as entries:
        totals = Totals()
        with whole(without) as table:
            table.write(csv_row(("id", "reason")))
            for entry in entries():
                totals.add(entry)
                if entry.reason:
                    table.write(csv_row((entry.id, entry.reason)))
        with whole(out) as file:
            file.write(b"{")
            for number, entry in enumerate(entries()):
                between = ",\n" if number else "\n"
                file.write(f"{between}{encodable(quoted(entry.id))}: {entry.graph_json}".encode())
            file.write(b"\n}\n")
    return CorpusResult(out, without, totals)


def beside(out: Path) -> tuple[Path, Path]:
    """What is written with ``out``: the reports without an entity, and what is done so far."""
    return without_table(out, "entity"), out.with_name(f".{out.name}.part")


@contextmanager
def gathered(
    reports: Reports,
    origin: Origin,
    part: Path,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Iterator[Callable[[], Iterator[Entry]]]:
    """Every report's entry, in order, as often as it is asked for.

    ``part`` holds what is done. It continues after a kill where reports and origin are the same,
    and it is removed when the block ends well.
    """
    seen = _Fingerprint()
    count = sum(1 for _ in seen.through(reports()))
    header = {**origin.identity(), "reports": seen.digest.hexdigest()}
    with journal(part, header) as book:
        if say and book.other:
            say(f"{part.name}: {book.other} changed since the last run, so it starts anew")
        elif say and book.done:
            say(f"{part.name}: {book.done:,} of {count:,} reports are done, the rest follows")
        again = _Fingerprint()
        _fill(book, again.through(reports()), origin, count, progress)
        if again.digest.digest() != seen.digest.digest():
            raise GraphError("The reports changed while they were read; give the command again.")
        yield lambda: map(Entry.of_line, book.lines())
        book.remove()


class _Fingerprint:
    """A hash of the ids and texts that went through, in their order."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def through(self, reports: Iterable[ReportText]) -> Iterator[ReportText]:
        """The same reports, hashed as they are taken."""
        for report in reports:
            for text in (report.id, report.text):
                data = text.encode("utf-8", "surrogatepass")
                self.digest.update(b"%d:" % len(data) + data)
            yield report


def _fill(
    book: Journal,
    reports: Iterable[ReportText],
    origin: Origin,
    count: int,
    progress: Progress | None,
) -> None:
    if progress:
        progress(book.done, count)
    for entries in origin.entries(chunks(islice(reports, book.done, None))):
        book.add(entry.line() for entry in entries)
        if progress:
            progress(book.done, count)


def chunks(reports: Iterable[ReportText]) -> Iterator[Chunk]:
    """Reports in order, in pieces that are neither many nor long."""
    chunk: Chunk = []
    size = 0
    for report in reports:
        chunk.append(report)
        size += len(report.text)
        if len(chunk) >= CHUNK or size >= CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
