"""Speed of the extraction of graphs: reports a second, and one line of a megabyte.

    python benchmarks/graph_speed.py

All Open-i reports in one pass, findings and impression, in one process: with the sentences that are
remembered from report to report, and with none remembered. Then texts of 1,000,000 characters
without a line break: the same reports one after another, and their words without any full stop,
which is one sentence. Processor time; the machine's load stands beside it, as other processes slow
this one down through shared caches. Reads ``../shared/data/openi-reports`` and skips where it is
absent.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from openi_findings import report_text
from radpair.graphs import extract

REPORTS = Path(__file__).resolve().parents[2] / "shared" / "data" / "openi-reports" / "reports"
rules = importlib.import_module("radpair.graphs.extract")
MEGABYTE = 1_000_000


def reports_a_second(reports: Sequence[str], *, remember: bool) -> float:
    """Reports extracted in a second of processor time."""
    remembered = rules._remembered
    remembered.cache_clear()
    if not remember:
        rules._remembered = rules._read
    started = time.process_time()
    for report in reports:
        extract(report)
    spent = time.process_time() - started
    rules._remembered = remembered
    return len(reports) / spent


def seconds(text: str) -> float:
    """Processor time of one text."""
    rules._remembered.cache_clear()
    started = time.process_time()
    extract(text)
    return time.process_time() - started


def main() -> None:
    if not REPORTS.exists():
        print(f"skipped: no Open-i reports at {REPORTS}")
        sys.exit(0)
    files = sorted(REPORTS.glob("*.xml"), key=lambda file: int(file.stem))
    reports = [report_text(file) for file in files]
    extract("No effusion.")  # loads the lexicon
    line = " ".join(" ".join(reports * 2).split())
    bare = " ".join(re.sub(r"[.:;?!]", " ", line).split())
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for remember, how in ((True, "sentences remembered"), (False, "none remembered")):
        speed = reports_a_second(reports, remember=remember)
        print(f"{len(reports):,} reports, {how}: {speed:,.0f} reports/s")
    print(f"1 MB of reports on one line: {seconds(line[:MEGABYTE]):.1f} s")
    print(f"1 MB of them without full stops: {seconds(bare[:MEGABYTE]):.1f} s")


if __name__ == "__main__":
    main()
