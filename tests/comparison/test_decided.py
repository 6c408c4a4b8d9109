"""Every decision by something other than a chosen threshold is named."""

from __future__ import annotations

from typing import Any

from radpair.comparison.decided import without_threshold


def row(title: str, task: str, facts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"set": "a", "title": title, "task": task, "why_not": None, "facts": facts, **more}


def told(*rows: dict[str, Any], point: str = "mcc") -> list[str]:
    return without_threshold({"settings": {"operating_point": point}, "results": rows}, "a")


def test_a_fine_tuned_fallback_is_named_with_its_draws() -> None:
    def run(taught: bool, **constant: str) -> dict[str, Any]:
        return {
            "threshold_from_held_out": {"Mass": taught, "Edema": False},
            "constant": constant,
        }

    facts = {
        "runs": [run(False), run(True), run(False, Edema="no negative")],
        "constant": [{"draw": 2, "label": "Edema", "reason": "no negative"}],
    }
    assert told(row("fine-tuned, 1 % of labels", "fine-tune", facts)) == [
        "Operating point: the best MCC.",
        "fine-tuned, 1 % of labels, Edema: every study is decided present in 1 draw (no negative).",
        "fine-tuned, 1 % of labels, Mass: a threshold of 0.5 in 2 draws, where nothing was held "
        "out or the held-out part has one class.",
        "fine-tuned, 1 % of labels, Edema: a threshold of 0.5 in 2 draws, where nothing was held "
        "out or the held-out part has one class.",
    ]


def test_labels_of_one_class_in_a_draw_are_named() -> None:
    facts = {
        "constant": [{"draw": draw, "label": "Mass", "reason": "no positive"} for draw in range(3)],
        "undecided": {"Edema": "no threshold in 1 of 5 draws: only one training patient with it"},
    }
    linear = row("linear probe, 1 % of labels", "linear", facts)
    assert told(linear, linear, point="specificity=0.9") == [
        "Operating point: the best sensitivity at a specificity of 0.9 or more.",
        "linear probe, 1 % of labels, Edema: no threshold in 1 of 5 draws: only one training "
        "patient with it.",
        "linear probe, 1 % of labels, Mass: every study is decided absent in 3 draws "
        "(no positive).",
    ]


def test_each_run_of_a_method_is_asked() -> None:
    missing = {"thresholds": {"missing": {"Mass": "no threshold: in the split 'validate' why"}}}
    whole = {"thresholds": {"missing": {}}}
    facts = {**whole, "by_run": {"one": whole, "two": missing}}
    shown = told(row("zero-shot, text prompts", "zero-shot", facts))
    assert shown[1:] == [
        "zero-shot, text prompts, Mass: no threshold: in the split 'validate' why."
    ]
    assert told(row("zero-shot, text prompts", "zero-shot", {"thresholds": None}))[1:] == [
        "zero-shot, text prompts: no threshold, as no study is in the split 'validate'."
    ]
