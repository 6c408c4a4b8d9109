"""Reports a second: the rules against medspaCy's pipeline, same reports, same core, one run.

    python benchmarks/medspacy_speed.py --medspacy ENV/bin/python [--reports 1000] [--rounds 3]

medspaCy lives in an environment of its own: ``python -m venv ENV && ENV/bin/pip install medspacy``;
the variable RADPAIR_MEDSPACY_PYTHON may name its interpreter instead. Without one, or without the
Open-i reports in ``../shared/data/openi-reports``, it skips.

Both sides read the findings and impression of the same reports, in turns, bound to one core, and
are measured in processor time after a warm-up. medspaCy runs twice: as it is loaded by default
(tokenizer, PyRuSH sentences, target matcher, ConText), and with spaCy's sentence splitter in place
of PyRuSH, which takes most of its time. Its targets are this project's findings alone; the rules
also give anatomy, devices, modifiers and relations. The rules' memory of recurring sentences is
emptied before each round, and before each report for the second figure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import time
import tomllib
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

from radpair.graphs import extract
from radpair.reports import body
from radpair.sources.reports import read_reports

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "openi-reports" / "reports"
VARIABLE = "RADPAIR_MEDSPACY_PYTHON"
WARM = 20
"""Reports read before the clock starts."""

MEDSPACY = """
import json, sys, time
import medspacy
from medspacy.ner import TargetRule

def pipeline(terms, splitter):
    if splitter == "PyRuSH":
        nlp = medspacy.load()
    else:
        nlp = medspacy.load(medspacy_disable=["medspacy_pyrush"])
        nlp.add_pipe("sentencizer", first=True)
    nlp.get_pipe("medspacy_target_matcher").add([TargetRule(t, "FINDING") for t in terms])
    return nlp

def read(nlp, texts):
    entities = [entity for text in texts for entity in nlp(text).ents]
    return len(entities), sum(entity._.is_negated for entity in entities)

request = json.loads(sys.stdin.readline())
pipelines = {name: pipeline(request["terms"], name) for name in request["splitters"]}
for nlp in pipelines.values():
    read(nlp, request["warm"])
print(json.dumps({name: nlp.pipe_names for name, nlp in pipelines.items()}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    started = time.process_time()
    counts = read(pipelines[question["splitter"]], question["texts"])
    print(json.dumps([time.process_time() - started, *counts]), flush=True)
"""
SPLITTERS = ("PyRuSH", "spaCy")


class MedSpacy:
    """medspaCy in its own environment."""

    def __init__(self, python: str, warm: list[str]) -> None:
        self.process = subprocess.Popen(
            [python, "-W", "ignore", "-c", MEDSPACY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LOGURU_LEVEL": "ERROR"},
        )
        self.pipes = self.ask({"terms": finding_terms(), "warm": warm, "splitters": SPLITTERS})

    def ask(self, question: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def texts(limit: int) -> list[str]:
    """Findings and impression of the first reports, by number."""
    found = (body(report.text) for report in read_reports(DATA))
    return list(islice((text for text in found if text.strip()), limit))


def finding_terms() -> list[str]:
    """The phrases for findings in this project's lexicon."""
    file = resources.files("radpair.graphs") / "lexicon" / "findings.toml"
    concepts = tomllib.loads(file.read_text(encoding="utf-8"))
    return sorted({phrase for phrases in concepts.values() for phrase in phrases})


def rules_seconds(reports: list[str], *, remember: bool) -> tuple[float, int, int]:
    """Processor seconds for all reports, and the entities and relations found."""
    remembered = importlib.import_module("radpair.graphs.extract")._remembered
    remembered.cache_clear()
    entities = relations = 0
    started = time.process_time()
    for text in reports:
        if not remember:
            remembered.cache_clear()
        graph = extract(text)
        entities += len(graph.entities)
        relations += len(graph.relations)
    return time.process_time() - started, entities, relations


def one_round(reports: list[str], medspacy: MedSpacy) -> dict[str, float]:
    """Reports a second of each contestant."""
    rates = {}
    for name, remember in (("rules", True), ("rules without memory", False)):
        seconds, entities, relations = rules_seconds(reports, remember=remember)
        rates[name] = len(reports) / seconds
        found = f"{entities:,} entities, {relations:,} relations"
        print(f"  {name:22} {rates[name]:6,.0f} reports/s  {found}")
    for splitter in SPLITTERS:
        seconds, entities, negated = medspacy.ask({"splitter": splitter, "texts": reports})
        name = f"medspaCy, {splitter}"
        rates[name] = len(reports) / seconds
        found = f"{entities:,} targets, {negated:,} negated"
        print(f"  {name:22} {rates[name]:6,.0f} reports/s  {found}", flush=True)
    return rates


def measure(reports: list[str], medspacy: MedSpacy, rounds: int) -> None:
    """Prints every round and the median ratios."""
    rows = []
    for number in range(1, rounds + 1):
        print(f"round {number}")
        rows.append(one_round(reports, medspacy))
    for splitter in SPLITTERS:
        for mine in ("rules", "rules without memory"):
            ratio = statistics.median(row[mine] / row[f"medspaCy, {splitter}"] for row in rows)
            print(f"{mine} / medspaCy with {splitter} sentences: {ratio:.1f} (median)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--medspacy", default=os.environ.get(VARIABLE), help="its python")
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not options.medspacy:
        print(f"skipped: no interpreter with medspaCy; give --medspacy or set {VARIABLE}")
        return
    if not DATA.exists():
        print(f"skipped: no Open-i reports at {DATA}")
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["OMP_NUM_THREADS"] = "1"
    reports = texts(options.reports)
    rules_seconds(reports[:WARM], remember=True)
    medspacy = MedSpacy(options.medspacy, reports[:WARM])
    words = sum(len(text.split()) for text in reports)
    print(f"{len(reports):,} reports, {words / len(reports):.0f} words each, one core")
    for splitter, pipes in medspacy.pipes.items():
        print(f"medspaCy, {splitter}: {', '.join(pipes)}")
    measure(reports, medspacy, options.rounds)
    medspacy.close()


if __name__ == "__main__":
    main()
