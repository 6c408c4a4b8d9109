"""The figures of a study set as one HTML file that needs no network and no script."""

from __future__ import annotations

from html import escape
from pathlib import Path

from radpair.description.charts import histogram, label_chart, share_chart
from radpair.description.facts import NOT_KNOWN, SHOWN, Facts, given
from radpair.description.text import balance, empty_splits, handling, label_cell
from radpair.errors import StudySetError
from radpair.evaluation.report.document import document, section
from radpair.evaluation.report.marks import COLOURS, legend
from radpair.evaluation.report.tables import facts_table, plain_table
from radpair.graphs.tables import counted
from radpair.models.folder import write_atomically
from radpair.records import SPLITS

_STYLE = """
h3 { margin: 26px 0 8px; }
.numbers td, .numbers thead th + th { text-align: right; white-space: nowrap; }
.pairs td, .pairs tbody th { white-space: normal; overflow-wrap: anywhere; font-weight: 400; }
.warn { padding: 12px 18px; border-radius: 10px; background: #fdf1dc; color: #6b4600;
  max-width: none; }
"""


def write_page(facts: Facts, out: Path) -> None:
    """Writes the page to ``out``, whole or not at all. Raises ``StudySetError``."""
    if not out.parent.is_dir():
        raise StudySetError(f"{out}: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise StudySetError(f"{out}: is a folder; give a file such as {out / 'page.html'}")
    if out.suffix.lower() not in (".html", ".htm"):
        raise StudySetError(f"{out}: the page is HTML; give a file that ends in .html")
    write_atomically(out, render(facts).encode())


def render(facts: Facts) -> str:
    """The whole page as text, from the values of ``radpair.description.describe``."""
    title = f"Study set {Path(facts['name']).name}"
    body = _splits(facts) + _people(facts) + _reports(facts) + _labels(facts)
    body += _left_out(facts) + _near(facts) + _handling(facts) + _provenance(facts)
    head = f'<header><h1>{escape(title)}</h1><p class="lead">{escape(_lead(facts))}</p></header>'
    return document(title, head + body, _STYLE)


def _lead(facts: Facts) -> str:
    counts = facts["counts"]
    return (
        f"{counted(counts['studies'], 'study', 'studies')} of "
        f"{counted(counts['patients'], 'patient')} with {counted(counts['images'], 'image')}, from "
        f"source {facts['source']}. No patient is in two splits."
    )


def _colours(facts: Facts) -> dict[str, str]:
    shades = dict(zip(SPLITS, COLOURS[1:], strict=False))
    return {name: shades[name] for name in facts["splits"]}


def _splits(facts: Facts) -> str:
    return section(
        "Splits beside each other",
        "<p>In brackets the middle half of the studies.</p>"
        + plain_table(balance(facts), "numbers")
        + "".join(f'<p class="warn">{escape(line)}</p>' for line in empty_splits(facts)),
    )


def _people(facts: Facts) -> str:
    shades = _colours(facts)
    charts = "<h3>Views, images</h3>" + share_chart("Views, images", facts["views"], shades)
    if set(facts["sexes"]) != {NOT_KNOWN}:
        charts += "<h3>Sex, studies</h3>" + share_chart("Sex, studies", facts["sexes"], shades)
    if facts["ages"]["bins"]:
        charts += f"<h3>Age, {facts['ages']['given']:,} studies</h3>"
        charts += histogram("years", facts["ages"], shades)
    return section("Views and people", legend(shades) + charts)


def _reports(facts: Facts) -> str:
    words = facts["words"]
    if not words["bins"]:
        return section("Reports", "<p>The set has no reports.</p>")
    shades = _colours(facts)
    told = f"<p>{words['given']:,} studies have a report. Its length:</p>"
    return section("Reports", told + legend(shades) + histogram("words", words, shades))


def _labels(facts: Facts) -> str:
    labels, splits = facts["labels"], list(facts["splits"])
    if not labels:
        return section("Labels", "<p>The set has no labels.</p>")
    shown = [label for label in labels if given(label, splits)]
    if not shown:
        return section("Labels", "<p>No study says anything of its labels.</p>")
    shades = _colours(facts)
    rows = [["label", *splits, "uncertain", "not given"]]
    for label in shown:
        cells = [label[name] for name in splits]
        uncertain = sum(cell["uncertain"] for cell in cells)
        known = sum(cell["present"] + cell["absent"] for cell in cells)
        blank = sum(cell["studies"] for cell in cells) - known - uncertain
        rows.append(
            [label["name"], *(label_cell(c) for c in cells), f"{uncertain:,}", f"{blank:,}"]
        )
    told = (
        "<p>Present among the studies that say present or absent; in the table with their "
        "number.</p>"
    )
    return section(
        "Labels", told + legend(shades) + label_chart(shown, shades) + plain_table(rows, "numbers")
    )


def _left_out(facts: Facts) -> str:
    found, counts = facts["quarantine"], facts["counts"]
    if not found:
        return section("Quarantine", "<p>Nothing was left out.</p>")
    rows = [["reason", "of", "entries"]]
    rows += [[row["reason"], row["kind"], f"{row['count']:,}"] for row in found]
    told = (
        f"{counted(counts['quarantined_images'], 'image')} and "
        f"{counted(counts['unusable_reports'], 'report')}; studies left out for want of an image: "
        f"{counts['studies_left_out']:,}. "
        "quarantine.parquet in the set names each."
    )
    return section("Quarantine", f"<p>{told}</p>" + plain_table(rows, "numbers"))


def _near(facts: Facts) -> str:
    title, near = "Near duplicates across splits", facts["near"]
    if not near["count"]:
        return section(title, "<p>No image is like one of an earlier split.</p>")
    pairs = ", ".join(f"{name} {count:,}" for name, count in near["pairs"].items())
    rows = [["image", "is like", "differing bits of 256"]]
    for row in near["rows"]:
        one, other = (f"{row[k + 'path']} ({row[k + 'split']})" for k in ("", "like_"))
        rows.append([one, other, str(row["bits"])])
    rest = f" The first {SHOWN}:" if near["count"] > SHOWN else ""
    told = (
        f'<p class="warn">{near["count"]:,} images are like one of an earlier split '
        f"({escape(pairs)}): what is measured on them may have been learnt by heart."
        f"{rest}</p>"
    )
    return section(title, told + plain_table(rows, "pairs"))


def _handling(facts: Facts) -> str:
    lines = handling(facts)
    told = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return section("Films as they were read", told) if lines else ""


def _provenance(facts: Facts) -> str:
    rows = {
        "set": facts["name"],
        "hash": facts["hash"],
        "source": facts["source"],
        "options": facts["options"],
        "graphs": facts["has_graphs"],
        "pixels": f"{facts['counts']['pixel_bytes'] / 1e6:,.1f} MB",
        "radpair": facts["radpair"],
    }
    return section("Provenance", facts_table(rows))
