"""The figures of a study set as plain lines for a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radpair.description.facts import Facts, prevalence, share
from radpair.graphs.tables import counted

_NONE = "-"


def told(facts: Facts) -> str:
    """Every figure of ``radpair.description.describe`` that fits on a screen."""
    counts = facts["counts"]
    lines = [
        f"{facts['name']}: {counted(counts['studies'], 'study', 'studies')} of "
        f"{counted(counts['patients'], 'patient')}, {counted(counts['images'], 'image')} from "
        f"source '{facts['source']}'.",
        "",
        *_table(balance(facts)),
        *empty_splits(facts),
    ]
    for title, key in (("Views (images)", "views"), ("Sexes (studies)", "sexes")):
        lines += ["", *_table(_counted(title, facts[key], facts))]
    if facts["labels"]:
        lines += ["", *_table(_labels(facts))]
    return "\n".join([*lines, "", *_left_out(facts), *_near(facts), *handling(facts)])


def empty_splits(facts: Facts) -> list[str]:
    """Which splits hold nothing, with the remedy."""
    return [
        f"No study is in {name}: ingest with another --seed, other --fractions or more patients, "
        "or mend the official splits if the source has such."
        for name in facts["empty_splits"]
    ]


def balance(facts: Facts) -> list[list[str]]:
    """The splits beside each other: a heading, then a row a figure."""
    splits = facts["splits"]
    rows = [["", *splits]]
    for name in ("studies", "patients", "images", "reports"):
        rows.append([name, *(f"{split[name]:,}" for split in splits.values())])
    total = sum(split["studies"] for split in splits.values())
    rows.append(["share of studies", *(percent(s["studies"] / total) for s in splits.values())])
    for sex in (name for name in ("F", "M") if name in facts["sexes"]):
        sizes = {name: splits[name]["studies"] for name in splits}
        found = facts["sexes"][sex]
        rows.append([f"sex {sex}", *(percent(share(found[name], sizes[name])) for name in splits)])
    for title, key in (("age, years", "ages"), ("words of a report", "words")):
        if facts[key]["given"]:
            rows.append([title, *(quartiles(facts[key]["quartiles"][name]) for name in splits)])
    return rows


def percent(value: float | None) -> str:
    """``12.5 %``; a dash where there is none."""
    return _NONE if value is None else f"{100 * value:.1f} %"


def quartiles(found: Sequence[float] | None) -> str:
    """The median and, in brackets, the quarters beside it."""
    return _NONE if not found else f"{found[1]:.0f} ({found[0]:.0f} to {found[2]:.0f})"


def label_cell(cell: Mapping[str, int]) -> str:
    """The share of present among present and absent, and the number of present."""
    return f"{percent(prevalence(cell))} ({cell['present']:,})"


def _counted(title: str, found: Mapping[str, Mapping[str, int]], facts: Facts) -> list[list[str]]:
    rows = [[title, *facts["splits"]]]
    return rows + [[name, *(f"{n:,}" for n in row.values())] for name, row in found.items()]


def _labels(facts: Facts) -> list[list[str]]:
    rows = [["Labels, present of given", *facts["splits"]]]
    for label in facts["labels"]:
        rows.append([label["name"], *(label_cell(label[name]) for name in facts["splits"])])
    return rows


def _left_out(facts: Facts) -> list[str]:
    if not facts["quarantine"]:
        return ["Quarantine: nothing."]
    counts = facts["counts"]
    head = (
        f"Quarantine: {counted(counts['quarantined_images'], 'image')} and "
        f"{counted(counts['unusable_reports'], 'report')}; "
        f"{counted(counts['studies_left_out'], 'study', 'studies')} left out."
    )
    rows = [
        [f"  {row['kind']}: {row['reason']}", f"{row['count']:,}"] for row in facts["quarantine"]
    ]
    return [head, *_table(rows)]


def _near(facts: Facts) -> list[str]:
    near: Mapping[str, Any] = facts["near"]
    if not near["count"]:
        return ["Near-duplicate images across splits: none."]
    pairs = ", ".join(f"{name} {count:,}" for name, count in near["pairs"].items())
    return [f"Near-duplicate images across splits: {near['count']:,} ({pairs})."]


def handling(facts: Facts) -> list[str]:
    """What was done to the films, and what the source remarked of its reading."""
    trimmed, lines = facts["trimmed"], []
    if trimmed is not None:
        of = f"{trimmed['count']:,} of {counted(facts['counts']['images'], 'image')}"
        area = f", on average {percent(trimmed['share'])} of their area" if trimmed["count"] else ""
        lines.append(f"Borders were trimmed of {of}{area}.")
    return [*lines, *facts["remarks"]]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
