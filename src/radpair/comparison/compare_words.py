"""What a comparison found, in plain words that claim no more than its tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from radpair.comparison.compared_figures import main_metric
from radpair.comparison.needed import told
from radpair.evaluation.report.marks import NONE, number, percent, signed

Found = Mapping[str, Any]


def summary(found: Found) -> list[tuple[str, list[str]]]:
    """A heading and its sentences for every study set."""
    return [(_heading(one), list(_sentences(found, one["name"]))) for one in found["sets"]]


def ahead(gap: Mapping[str, Any], level: float) -> int:
    """1 where the first model is ahead, -1 where the second is, 0 where it may be chance.

    By the corrected p of the mean; of retrieval by recall at 10.
    """
    mean = mean_of(gap)
    if mean["holm"] is None or mean["holm"] > 1 - level or mean["value"] == 0:
        return 0
    return 1 if mean["value"] > 0 else -1


def mean_of(gap: Mapping[str, Any]) -> Mapping[str, Any]:
    """The difference of the mean over labels in the task's main metric."""
    found: Mapping[str, Any] = gap["metrics"][main_metric(gap["task"])]["macro"]
    return found


def cell(part: Mapping[str, Any], digits: int = 3) -> str:
    """``0.616 [0.585, 0.641]``, or ``undefined``."""
    if part["value"] is None:
        return "undefined"
    return (
        f"{number(part['value'], digits)} "
        f"[{number(part['low'], digits)}, {number(part['high'], digits)}]"
    )


def signed_cell(part: Mapping[str, Any]) -> str:
    """``+0.021 [−0.004, +0.046]``, or ``undefined``."""
    if part["value"] is None:
        return "undefined"
    return f"{signed(part['value'])} [{signed(part['low'])}, {signed(part['high'])}]"


def p_text(p: float | None) -> str:
    """``0.012`` or ``< 0.001``."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else number(p)


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _heading(one: Mapping[str, Any]) -> str:
    tested = one["test"]
    kind = "synthetic studies" if one["synthetic"] else "studies"
    labels = f"{len(one['labels'])} findings" if one["labels"] else "no labels"
    return (
        f"{one['name']}: {tested['studies']:,} {kind} of {tested['patients']:,} patients tested, "
        f"{labels}"
    )


def _sentences(found: Found, name: str) -> Iterator[str]:
    gaps = [gap for gap in found["differences"] if gap["set"] == name]
    level = found["settings"]["level"]
    for pair in dict.fromkeys(tuple(end["model"] for end in gap["ends"]) for gap in gaps):
        mine = [g for g in gaps if tuple(end["model"] for end in g["ends"]) == pair]
        linear = [gap for gap in mine if gap["task"] == "linear"]
        if linear:
            yield _linear(pair, linear, level)
        others = [gap for gap in mine if gap["task"] != "linear"]
        if others:
            yield _others(pair, others, level)
        yield from _needed(found, name, pair)
        yield from _not_tested(found, name, pair, mine)
    yield from _best_retrieval(found, name)
    if not gaps and not any(r["set"] == name and not r["why_not"] for r in found["results"]):
        yield "Nothing could be asked here; the table gives the reasons."


def _linear(pair: tuple[str, str], gaps: Sequence[Mapping[str, Any]], level: float) -> str:
    first, second = pair
    parts = []
    for who, sign in ((first, 1), (second, -1)):
        won = [gap for gap in gaps if ahead(gap, level) == sign]
        if won:
            other = second if sign == 1 else first
            shares = listed([_share(gap) for gap in won])
            by = listed([number(abs(mean_of(gap)["value"])) for gap in won])
            parts.append(f"{who} is ahead of {other} with {shares} of the labels (AUROC by {by})")
    open_ = [_share(gap) for gap in gaps if ahead(gap, level) == 0]
    if open_ and parts:
        parts.append(f"with {listed(open_)} the difference may be chance")
    if not parts:
        return (
            f"A linear probe does not tell {first} and {second} apart, with {listed(open_)} of the "
            "labels."
        )
    return "By a linear probe " + "; ".join(parts) + "."


def _share(gap: Mapping[str, Any]) -> str:
    return str(gap["ends"][0]["title"].split(", ")[-1].removesuffix(" of labels"))


def _others(pair: tuple[str, str], gaps: Sequence[Mapping[str, Any]], level: float) -> str:
    first, second = pair
    parts = []
    for who, sign in ((first, 1), (second, -1)):
        won = [_way(gap) for gap in gaps if ahead(gap, level) == sign]
        if won:
            parts.append(f"{who} is ahead of {second if sign == 1 else first} by {listed(won)}")
    open_ = [_way(gap) for gap in gaps if ahead(gap, level) == 0]
    if open_:
        whom = "them" if parts else f"{first} and {second}"
        verb = "does" if len(open_) == 1 else "do"
        parts.append(f"{listed(open_)} {verb} not tell {whom} apart")
    text = "; ".join(parts) + "."
    return text[0].upper() + text[1:] if text.startswith(tuple(open_) or ("\0",)) else text


def _way(gap: Mapping[str, Any]) -> str:
    """The protocol of a difference, and whose prompts where they differ."""
    titles = [end["title"] for end in gap["ends"]]
    if titles[0] != titles[1]:
        kinds = [title.removeprefix("zero-shot, ") for title in titles]
        return f"zero-shot ({kinds[0]} against {kinds[1]})"
    return str(titles[0].replace(", 100 % of labels", "").replace(", ", " ", 1))


def _needed(found: Found, name: str, pair: tuple[str, str]) -> Iterator[str]:
    """Where one model does as well as the other with clearly fewer labels."""
    for one in found["labels_needed"]:
        whole = one["budgets"][-1]
        if one["set"] != name or {one["model"], one["other"]} != set(pair):
            continue
        if one["studies"] is None or one["studies"] >= whole:
            continue
        yield (
            f"{one['model']} matches {one['other']} at 100 % ({whole:,} labelled studies) with "
            f"{told(one)} of them, {percent(round(one['studies'] / whole, 2))}."
        )


def _not_tested(
    found: Found, name: str, pair: tuple[str, str], gaps: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Where both retrieve, but one by reports and the other by graphs."""
    able = {
        row["model"]
        for row in found["results"]
        if row["set"] == name and row["task"] == "retrieval" and not row["why_not"]
    }
    if able.issuperset(pair) and not any(gap["task"] == "retrieval" for gap in gaps):
        yield (
            f"Retrieval is not tested between {pair[0]} and {pair[1]}: one finds reports, the "
            "other graphs, and those recur differently."
        )


def _best_retrieval(found: Found, name: str) -> Iterator[str]:
    rows = [
        row
        for row in found["results"]
        if row["set"] == name and row["task"] == "retrieval" and not row["why_not"]
    ]
    if not rows:
        return
    best = max(rows, key=lambda row: row["metrics"]["recall_10"]["macro"]["value"])
    recall = best["metrics"]["recall_10"]["macro"]["value"]
    yield (
        f"The best retrieval is {best['title']} by {best['model']}: the right one is among the "
        f"first ten of {best['facts']['studies']:,} in {percent(round(recall, 3))} of queries "
        f"(at random {percent(round(best['facts']['chance']['recall_10'], 3))})."
    )
