"""What is told of a method's training runs."""

from __future__ import annotations

import re
from typing import Any

from radpair.comparison.by_run import cannot_tell, run_names, runs_table
from radpair.comparison.compare_charts import difference_chart


def part(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "p": 0.4, "holm": 0.4, **more}


def gap(*interval: float) -> dict[str, Any]:
    ends = [{"model": name, "title": "k-NN"} for name in ("igc", "convirt")]
    return {"task": "knn", "ends": ends, "metrics": {"auroc": {"macro": part(*interval)}}}


FOUND: dict[str, Any] = {
    "models": [
        {"name": "igc", "runs": [{"name": "seed-0"}, {"name": "seed-1"}]},
        {"name": "convirt", "runs": [{"name": "convirt"}]},
    ],
    "results": [
        {
            "set": "mine",
            "model": name,
            "task": "knn",
            "title": "k-NN",
            "why_not": None,
            "facts": {},
            "metrics": {"auroc": {"macro": part(0.7, 0.6, 0.8), **more}},
        }
        for name, more in (("igc", {"by_run": [0.65, 0.75]}), ("convirt", {}))
    ],
}


def test_defect_runs_stood_in_the_json_alone() -> None:
    head, *rows = runs_table(FOUND, "mine")
    assert head == ["method", "protocol", "run 1", "run 2", "mean"]
    assert rows == [["igc", "k-NN", "0.650", "0.750", "0.700"]]
    assert len(runs_table(FOUND, "another")) == 1
    assert run_names(FOUND) == "igc: run 1 is seed-0, run 2 is seed-1."


def test_defect_two_runs_stretched_the_axis_of_differences() -> None:
    narrow, wide = gap(0.02, -0.03, 0.07), gap(-0.08, -2.083, 1.924)
    drawn = difference_chart([narrow, wide], ["a", "b"], 0.95)
    alone = difference_chart([narrow], ["a"], 0.95)
    assert drawn.count("<path") == 2
    assert alone.count("<path") == 0
    plain = drawn.replace("\N{MINUS SIGN}", "-")
    ticks = [float(t) for t in re.findall(r'text-anchor="middle"[^>]*>([+-]0\.\d+)<', plain)]
    assert ticks
    assert max(map(abs, ticks)) < 0.1
    inside = [float(x) for x in re.findall(r'x[12]="([\d.-]+)"', drawn)]
    assert min(inside) >= 300
    assert max(inside) <= 630
    assert cannot_tell(FOUND, [narrow]) == ""
    told = cannot_tell(FOUND, [narrow, wide])
    assert told.startswith("Two runs of igc cannot tell by these: k-NN")
