"""What a comparison found, in plain words that claim no more than its tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from radpair.comparison.compared_figures import main_metric
from radpair.comparison.needed import told
from radpair.evaluation.differences import LONE_RUN
from radpair.evaluation.report.marks import number, percent, signed

Found = Mapping[str, Any]


def summary(found: Found) -> list[tuple[str, str, list[str]]]:
    """Every study set's name, what was tested of it, and sentences."""
    return [
        (one["name"], _tested(one), list(_sentences(found, one["name"]))) for one in found["sets"]
    ]


def ahead(gap: Mapping[str, Any], level: float) -> int:
    """1 where the first model is ahead, -1 where the second is, 0 where it may be chance.

    By the corrected p of the mean, in the task's main metric.
    """
    mean = mean_of(gap)
    if mean["holm"] is None or mean["holm"] > 1 - level or mean["value"] == 0:
        return 0
    return 1 if mean["value"] > 0 else -1


def mean_of(gap: Mapping[str, Any]) -> Mapping[str, Any]:
    """The difference of the mean over labels in the task's main metric."""
    found: Mapping[str, Any] = gap["metrics"][main_metric(gap["task"])]["macro"]
    return found


def measured_labels(row: Mapping[str, Any]) -> int:
    """How many labels the mean of a protocol of labels is over."""
    if "auroc" not in row["metrics"]:
        return len(row["facts"]["labels"])
    labels = row["metrics"]["auroc"]["labels"].values()
    return sum(part["value"] is not None for part in labels)


def capital(sentence: str) -> str:
    """With a capital letter after the name of a pair, for a page that sets the name apart."""
    return sentence[:1].upper() + sentence[1:]


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


def chance_of(row: Mapping[str, Any]) -> str:
    """``recall at 10, chance 0.016`` for retrieval, nothing for protocols of labels."""
    if "chance" not in row["facts"]:
        return ""
    metric = main_metric(row["task"])
    words = {"recall_10": "recall at 10", "precision_10": "precision at 10"}[metric]
    return f"{words}, chance {row['facts']['chance'][metric]:.3f}"


def listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def titles(found: Found, name: str) -> list[str]:
    """The protocols that some model could be asked on this set, in order."""
    mine = [row for row in found["results"] if row["set"] == name]
    asked = {row["title"] for row in mine if not row["why_not"]}
    return [title for title in dict.fromkeys(row["title"] for row in mine) if title in asked]


def _tested(one: Mapping[str, Any]) -> str:
    tested = one["test"]
    kind = "synthetic studies" if one["synthetic"] else "studies"
    labels = f"{len(one['labels'])} findings" if one["labels"] else "no labels"
    return f"{tested['studies']:,} {kind} of {tested['patients']:,} patients tested, {labels}"


def _sentences(found: Found, name: str) -> Iterator[str]:
    mine = [gap for gap in found["differences"] if gap["set"] == name]
    gaps = [gap for gap in mine if mean_of(gap)["value"] is not None]
    for pair in dict.fromkeys(models_of(gap) for gap in gaps):
        mine = [gap for gap in gaps if models_of(gap) == pair]
        verdict = "; ".join(_verdict(mine, found["settings"]["level"]))
        parts = [f"{verdict}.", *_needed(found, name, pair)]
        parts += _not_tested(found, name, pair, mine)
        yield f"{pair[0]} against {pair[1]}: {' '.join(parts)}"
    yield from _best_retrieval(found, name)
    if not any(row["set"] == name and not row["why_not"] for row in found["results"]):
        yield "Nothing could be asked here; the table gives the reasons."


def models_of(gap: Mapping[str, Any]) -> tuple[str, str]:
    """The two models of a difference."""
    first, second = (str(end["model"]) for end in gap["ends"])
    return first, second


def _verdict(gaps: Sequence[Mapping[str, Any]], level: float) -> Iterator[str]:
    """Ahead, behind, and what may be chance."""
    for words, sign in (("ahead by", 1), ("behind by", -1)):
        won = [gap for gap in gaps if ahead(gap, level) == sign]
        if won:
            yield f"{words} {listed(_ways(won, sizes=True))}"
    untested = [gap for gap in gaps if LONE_RUN in (mean_of(gap)["note"] or "")]
    rest = [gap for gap in gaps if ahead(gap, level) == 0 and gap not in untested]
    if rest and len(rest) == len(gaps):
        yield f"no clear difference by any protocol ({listed(_ways(rest))})"
    elif rest:
        yield f"no clear difference by {listed(_ways(rest))}"
    if untested:
        yield "not tested, because only one of the two has several training runs"


def _ways(gaps: Sequence[Mapping[str, Any]], sizes: bool = False) -> list[str]:
    """``linear probe with 1 % and 10 % of labels (+0.012, +0.033)``, one text a task."""
    found = []
    for task in dict.fromkeys(gap["task"] for gap in gaps):
        mine = [gap for gap in gaps if gap["task"] == task]
        size = ", ".join(signed(mean_of(gap)["value"]) for gap in mine)
        found.append(_task_words(task, mine) + (f" ({size})" if sizes else ""))
    return found


def _task_words(task: str, gaps: Sequence[Mapping[str, Any]]) -> str:
    if task in ("linear", "fine-tune"):
        what = {"linear": "linear probe", "fine-tune": "fine-tuning"}[task]
        return f"{what} with {listed([_last_words(gap, ' of labels') for gap in gaps])} of labels"
    if task == "few-shot":
        return f"few-shot with {listed([_last_words(gap, ' a class') for gap in gaps])} a class"
    if task == "knn":
        return "k-NN"
    if task == "zero-shot":
        return "zero-shot " + listed([_prompts(gap) for gap in gaps])
    if task == "likeness":
        return "retrieval of like films"
    if task == "by-prompt":
        return "retrieval " + listed([_prompts(gap) for gap in gaps])
    return "retrieval " + listed([gap["ends"][0]["title"] for gap in gaps])


def _last_words(gap: Mapping[str, Any], unit: str) -> str:
    return str(gap["ends"][0]["title"].split(", ")[-1].removesuffix(unit))


def _prompts(gap: Mapping[str, Any]) -> str:
    titles = [end["title"].removeprefix("zero-shot, ").split(" prompts")[0] for end in gap["ends"]]
    if titles[0] == titles[1]:
        return f"by {titles[0]} prompts"
    return f"by {titles[0]} against {titles[1]} prompts"


def _needed(found: Found, name: str, pair: tuple[str, str]) -> Iterator[str]:
    """Where the first does as well as the second with fewer labels, or the second as the first."""
    for one in found["labels_needed"]:
        whole = one["budgets"][-1]
        if one["set"] != name or {one["model"], one["other"]} != set(pair):
            continue
        if one["studies"] is None or one["studies"] >= whole:
            continue
        who = "Matches its" if one["model"] == pair[0] else f"{one['model']} matches its"
        whole_words = f"100 % ({whole:,} labelled studies)"
        yield f"{who} {whole_words} with {told(one)} (an estimate, not a test)."


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
        yield "Retrieval of partners is not tested: one finds reports, the other graphs."


def _best_retrieval(found: Found, name: str) -> Iterator[str]:
    rows = [
        row
        for row in found["results"]
        if row["set"] == name and row["task"] == "retrieval" and not row["why_not"]
    ]
    if not rows:
        return
    best = max(rows, key=lambda row: row["metrics"]["recall_10"]["macro"]["value"])
    recall, chance = best["metrics"]["recall_10"]["macro"], best["facts"]["chance"]["recall_10"]
    doubt = ", and its interval holds that too" if recall["low"] <= chance else ""
    yield (
        f"The best retrieval is {best['title']} by {best['model']}: the right one is among the "
        f"first ten of {best['facts']['studies']:,} in {percent(round(recall['value'], 3))} of "
        f"queries (at random {percent(round(chance, 3))}{doubt}; an estimate, not a test)."
    )
