"""Where the graphs of a corpus come from, and what is kept of each report."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from importlib import resources
from json.encoder import encode_basestring as quoted
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from radpair import __version__
from radpair.errors import GraphError
from radpair.graphs.extract import extract
from radpair.graphs.radgraph_json import from_json
from radpair.graphs.terms import (
    ANATOMY_ROLES,
    OBSERVATION_ROLES,
    Lexicon,
    load_lexicon,
    shipped_lexicon,
)
from radpair.processes import follow_parent
from radpair.records import Graph
from radpair.reports.reading import read, words
from radpair.sources.reports import ReportText

AHEAD = 4
"""Chunks handed out for each process, so that none waits and memory stays flat."""
NO_TERM = "no term of the lexicon"
NOTHING_STATED = "terms of the lexicon, but nothing stated of this study"

_HALVES = re.compile("[\ud800-\udfff]")

Chunk = list[ReportText]


class Origin(Protocol):
    """What turns reports into graphs."""

    def identity(self) -> dict[str, str]:
        """What must be equal for two runs to give the same graphs, by name."""
        ...

    def entries(self, chunks: Iterable[Chunk]) -> Iterator[list[Entry]]:
        """For every chunk of reports the entries of its reports, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One report's graph, as a line that is written and read without a look at the graph."""

    id: str
    graph_json: str
    """RadGraph's JSON value."""
    entities: int
    relations: int
    words: int
    """Words that were read."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Words of every section that was not read."""
    reason: str = ""
    """Why there is no entity, where there is none."""

    def graph(self) -> Graph:
        """The graph, checked against its text. Raises ``GraphError``."""
        return from_json(json.loads(self.graph_json), f"report '{self.id}'")

    def line(self) -> bytes:
        """The entry without a line break: its facts, a tab, its graph."""
        facts = [self.id, self.entities, self.relations, self.words, self.left_out, self.reason]
        return f"{json.dumps(facts)}\t{self.graph_json}".encode()

    @classmethod
    def of_line(cls, line: bytes) -> Entry:
        """The entry that ``line`` wrote."""
        facts, graph_json = line.decode().split("\t")
        report_id, *rest = json.loads(facts)
        return cls(report_id, graph_json, *rest)


def entry(report: ReportText, graph: Graph, reason: str = "") -> Entry:
    """What is kept of one report; without a ``reason`` for an empty graph it is found out."""
    reading = read(report.text)
    return Entry(
        id=report.id,
        graph_json=encodable(graph_json(graph)),
        entities=len(graph.entities),
        relations=len(graph.relations),
        words=words(reading.body),
        left_out=dict(reading.left_out),
        reason="" if graph.entities else reason or why_empty(reading.reason, graph),
    )


def why_empty(reason: str | None, graph: Graph, lexicon: Lexicon | None = None) -> str:
    """Why a graph has no entity: the ``reason`` of its reading, else what the lexicon knows of it.

    Empty where it has one. Without a ``lexicon`` its source knew no other than its own.
    """
    if graph.entities:
        return ""
    if reason:
        return reason
    return NOTHING_STATED if lexicon and _names_anything(graph.text, lexicon) else NO_TERM


def graph_json(graph: Graph) -> str:
    """``to_json`` as text, without the objects between: a long report has 100,000 entities."""
    outgoing: dict[int, list[str]] = {}
    for link in graph.relations:
        outgoing.setdefault(link.source, []).append(f'["{link.type}", "{link.target + 1}"]')
    entities = ", ".join(
        f'"{number}": {{"tokens": {quoted(entity.text)}, "label": {quoted(entity.label)}, '
        f'"start_ix": {entity.start}, "end_ix": {entity.end}, '
        f'"relations": [{", ".join(outgoing.get(number - 1, ()))}]}}'
        for number, entity in enumerate(graph.entities, 1)
    )
    return f'{{"text": {quoted(graph.text)}, "entities": {{{entities}}}}}'


def encodable(text: str) -> str:
    """Halves of surrogate pairs, which no encoding can write, as JSON's escapes."""
    return _HALVES.sub(lambda half: f"\\u{ord(half.group()):04x}", text)


class Rules:
    """Extraction by rules, in this process or in several, with the same result."""

    def __init__(self, lexicon: Path | None = None, processes: int = 1) -> None:
        """``lexicon`` is a user's TOML file. Raises ``GraphError`` where it cannot be read."""
        self.lexicon, self.processes = lexicon, processes
        self._loaded = _load(lexicon)

    def identity(self) -> dict[str, str]:
        """The hash of the shipped lexicon with the user's, and radpair's version."""
        digest = hashlib.sha256()
        folder = resources.files("radpair.graphs") / "lexicon"
        shipped = sorted((f for f in folder.iterdir() if f.is_file()), key=lambda f: f.name)
        for file in [*shipped, *([self.lexicon] if self.lexicon else [])]:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return {"from": "rules", "lexicon": digest.hexdigest(), "radpair": __version__}

    def entries(self, chunks: Iterable[Chunk]) -> Iterator[list[Entry]]:
        """As ``Origin``; raises ``GraphError`` where a worker process is lost."""
        if self.processes <= 1:
            yield from (_read_chunk(chunk, self._loaded) for chunk in chunks)
            return
        context = get_context("spawn")
        pool = ProcessPoolExecutor(self.processes, context, _start, (self.lexicon,))
        pending: deque[Future[list[Entry]]] = deque()
        try:
            for chunk in chunks:
                pending.append(pool.submit(_run, chunk))
                if len(pending) >= AHEAD * self.processes:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise GraphError(
                "A worker process was killed, most often for want of memory; what is finished is "
                "kept: give the same command again with fewer --processes."
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_workers_lexicon: Lexicon | None = None
"""In a worker process, the lexicon that it was started with."""


def _start(lexicon: Path | None) -> None:
    global _workers_lexicon
    follow_parent()
    _workers_lexicon = _load(lexicon)


def _load(lexicon: Path | None) -> Lexicon:
    return load_lexicon(lexicon) if lexicon else shipped_lexicon()


def _run(chunk: Chunk) -> list[Entry]:
    assert _workers_lexicon is not None, "_start runs first in every worker"
    return _read_chunk(chunk, _workers_lexicon)


def _read_chunk(chunk: Chunk, lexicon: Lexicon) -> list[Entry]:
    return [_read(report, lexicon) for report in chunk]


def _read(report: ReportText, lexicon: Lexicon) -> Entry:
    graph = extract(report.text, lexicon)
    found = entry(report, graph)
    if found.reason == NO_TERM:
        return replace(found, reason=why_empty(None, graph, lexicon))
    return found


def _names_anything(text: str, lexicon: Lexicon) -> bool:
    """Whether an observation or an anatomy of the lexicon stands in a text of tokens."""
    spoken = text.lower().split(" ")
    at = 0
    while at < len(spoken):
        match = lexicon.find(spoken, at)
        if match and match[0].role in OBSERVATION_ROLES | ANATOMY_ROLES:
            return True
        at += match[1] if match else 1
    return False
