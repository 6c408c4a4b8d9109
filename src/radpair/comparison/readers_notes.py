"""What a reader of the figures should know: warnings, which stand first, and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from radpair.evaluation.bootstrap import Estimate
from radpair.evaluation.statistics import Floats

FEW = 5
"""Below so many studies of a class an interval says little."""
FIXED = (
    "Intervals and p-values speak of other patients alone: these readers are taken as fixed, not "
    "as a sample of readers, and thresholds as given, without the uncertainty of their choice."
)


def of_patients(studies: int, alone: int) -> list[str]:
    """A warning where ``alone`` of the studies count as a patient of their own."""
    if not alone:
        return []
    return [
        f"{alone:,} of {studies:,} ids name no patient (as 'patient123' does), so each of these "
        "studies is resampled as a patient of its own. Where patients have several studies, the "
        "intervals are too short and p too small; name the column of patients with "
        "--patient-column."
    ]


def of_scores(labels: Sequence[str], scores: Floats, found: Estimate) -> list[str]:
    """Warnings of scores ``[studies, labels]`` that look inverted (by their AUROC) or decided."""
    told = [
        f"{label}: the AUROC is below 0.5 with its whole interval; are these scores of absence?"
        for label, part in zip(labels, found.labels, strict=True)
        if part.high < 0.5
    ]
    decided = [label for label, column in zip(labels, scores.T, strict=True) if _decided(column)]
    if decided:
        told.append(
            f"{', '.join(decided)}: all scores are 0 or 1, as decisions are; the curve has one "
            "point, and the AUROC is not that of the model's own scores."
        )
    return told


def of_thresholds(labels: Sequence[str], scores: Floats, thresholds: Floats) -> list[str]:
    """Warnings of thresholds ``[labels]`` that call every study, or none."""
    told = []
    for label, column, cut in zip(labels, scores.T, thresholds, strict=True):
        if column.min() < cut <= column.max():
            continue
        called = "no study is" if cut > column.max() else "every study is"
        told.append(
            f"{label}: {called} called present, because the threshold {cut:g} lies outside the "
            f"scores, {column.min():g} to {column.max():g}; are both on one scale?"
        )
    return told


def of_counts(studies: int, counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Notes of open answers, of labels with one class and of labels with few of one."""
    told = []
    for label, count in counts.items():
        for key, whose in (("open_in_truth", "the truth"), ("open_in_readers", "a reader")):
            if count[key]:
                told.append(
                    f"{label}: {count[key]:,} of {studies:,} studies are left out for this label, "
                    f"because {whose} is uncertain (-1) or blank there."
                )
        told += _few(label, count["positives"], count["studies"])
    return told


def of_answers(labels: Sequence[str], answers: Mapping[str, Floats], truth: Floats) -> list[str]:
    """Notes of readers who call every study, or none; all values ``[studies, labels]``."""
    told = []
    for name, values in answers.items():
        for called, amount in ((0, "no study"), (1, "every study")):
            alike = [
                label
                for place, label in enumerate(labels)
                if _all_are(values[~np.isnan(truth[:, place]), place], called)
            ]
            if alike:
                told.append(
                    f"{name} calls {amount} present for {', '.join(alike)}: the MCC is 0 there by "
                    "definition, in every resample, and its interval says nothing."
                )
    return told


def of_figures(makers: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Notes of the intervals themselves, those of one reason together.

    ``makers`` are names with METRICs by name; what is undefined is told by ``of_counts``.
    """
    found: dict[str, list[str]] = {}
    for name, metrics in makers:
        for metric, values in metrics.items():
            parts = {"mean over labels": values["macro"], **values["labels"]}
            by_note: dict[str, list[str]] = {}
            for where, part in parts.items():
                note = part["note"]
                if note and part["value"] is not None and "left out" not in note:
                    by_note.setdefault(note, []).append(where)
            for note, places in by_note.items():
                where = "" if len(places) == len(parts) else f" ({', '.join(places)})"
                told = f"{metric.upper().replace('_', ' ')} of {name}{where}"
                found.setdefault(note, []).append(told)
    return [f"{note[:1].upper()}{note[1:]}: {'; '.join(all_)}." for note, all_ in found.items()]


def _all_are(values: Floats, called: int) -> bool:
    return len(values) > 0 and bool((values == called).all())


def _few(label: str, positives: int, studies: int) -> list[str]:
    least = min(positives, studies - positives)
    kind = "positive" if positives <= studies - positives else "negative"
    if least >= FEW:
        return []
    if least == 0:
        return [
            f"{label}: no {kind} study among {studies:,}, so its figures are undefined and stay "
            "out of the means."
        ]
    noun = "study" if least == 1 else "studies"
    return [
        f"{label}: {least} {kind} {noun} alone among {studies:,}; its intervals and p-values are "
        "rough."
    ]


def _decided(column: Floats) -> bool:
    return bool(np.isin(column, (0.0, 1.0)).all())
