"""Reports a second: the rules against medspaCy's pipeline, same reports, same core, one run.

    python benchmarks/medspacy_speed.py --medspacy ENV/bin/python [--reports 1000] [--rounds 3]

medspaCy lives in an environment of its own: ``python -m venv ENV && ENV/bin/pip install medspacy``.
Its pipeline is the default one (tokenizer, PyRuSH sentences, target matcher, ConText) with this
project's findings as targets; it yields no relations. Both sides read the findings and impression
of the same Open-i reports from ``../shared/data/openi-reports``, in turns. This project's memory of
recurring sentences is emptied before each round, and before each report for the second figure.
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
from pathlib import Path

from radpair.graphs import extract
from radpair.reports import body
from radpair.sources.reports import read_reports

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "openi-reports" / "reports"

MEDSPACY = """
import json, sys, time
import medspacy
from medspacy.ner import TargetRule

nlp = medspacy.load()
request = json.loads(sys.stdin.readline())
rules = [TargetRule(term, "FINDING") for term in request["terms"]]
nlp.get_pipe("medspacy_target_matcher").add(rules)
for line in sys.stdin:
    texts = json.loads(line)
    started = time.process_time()
    entities = sum(len(nlp(text).ents) for text in texts)
    print(json.dumps([time.process_time() - started, entities]), flush=True)
"""


def texts(limit: int) -> list[str]:
    """Findings and impression of the first reports, by number."""
    found = (body(report.text) for report in read_reports(DATA, None, ()))
    return [text for text in found if text.strip()][:limit]


def finding_terms() -> list[str]:
    """The phrases for findings in this project's lexicon."""
    file = resources.files("radpair.graphs") / "lexicon" / "findings.toml"
    concepts = tomllib.loads(file.read_text(encoding="utf-8"))
    return sorted({phrase for phrases in concepts.values() for phrase in phrases})


def rules_seconds(reports: list[str], *, remember: bool) -> tuple[float, int]:
    """Processor seconds for all reports, and the entities found."""
    remembered = importlib.import_module("radpair.graphs.extract")._remembered
    remembered.cache_clear()
    entities = 0
    started = time.process_time()
    for text in reports:
        if not remember:
            remembered.cache_clear()
        entities += len(extract(text).entities)
    return time.process_time() - started, entities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--medspacy", required=True, help="the python of medspaCy's environment")
    parser.add_argument("--reports", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    reports = texts(options.reports)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LOGURU_LEVEL": "ERROR"}
    worker = subprocess.Popen(
        [options.medspacy, "-W", "ignore", "-c", MEDSPACY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps({"terms": finding_terms()}) + "\n")
    rows = []
    for round_ in range(options.rounds):
        with_memory, entities = rules_seconds(reports, remember=True)
        without, _ = rules_seconds(reports, remember=False)
        worker.stdin.write(json.dumps(reports) + "\n")
        worker.stdin.flush()
        theirs, targets = json.loads(worker.stdout.readline())
        rates = [len(reports) / seconds for seconds in (with_memory, without, theirs)]
        rows.append(rates)
        print(
            f"round {round_ + 1}: rules {rates[0]:.0f} reports/s ({rates[1]:.0f} without sentence "
            f"memory, {entities} entities), medspaCy {rates[2]:.0f} ({targets} targets)"
        )
    worker.stdin.close()
    worker.wait()
    mine, plain, theirs = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"median ratio {mine / theirs:.1f}, without sentence memory {plain / theirs:.1f}")


if __name__ == "__main__":
    main()
