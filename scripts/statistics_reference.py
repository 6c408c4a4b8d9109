"""Reference values for tests/evaluation/test_delong.py and test_paired.py from other packages.

Usage, in an environment of its own (neither package is needed by radpair or its tests):

    python3 -m venv reference-env
    reference-env/bin/pip install confidenceinterval==1.0.5 statsmodels==0.15.0
    reference-env/bin/python scripts/statistics_reference.py

Writes tests/evaluation/data/statistics_reference.json: the inputs, the values and the versions.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from confidenceinterval import roc_auc_score
from confidenceinterval.delong import calc_pvalue, fastDeLong
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

TARGET = Path(__file__).parents[1] / "tests" / "evaluation" / "data" / "statistics_reference.json"
PACKAGES = ("confidenceinterval", "statsmodels", "scikit-learn", "numpy")
CASES = ((60, 30, 1000), (60, 30, 4), (80, 3, 1000), (80, 76, 7), (200, 60, 25), (40, 20, 2))
"""Studies, positives among them, and different scores (few: many ties)."""


def main() -> None:
    rng = np.random.default_rng(4)
    found = {
        "versions": {name: version(name) for name in PACKAGES},
        "delong": [_delong(rng, *case) for case in CASES],
        "holm": [_holm(np.round(rng.random(size) ** 3, 6)) for size in (1, 2, 5, 14)],
        "wilson": [
            {"share": hits / studies, "studies": studies, "bounds": _wilson(hits, studies)}
            for hits, studies in ((0, 7), (7, 7), (3, 20), (499, 500), (1, 2))
        ],
    }
    TARGET.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {TARGET}")


def _delong(rng: np.random.Generator, studies: int, positives: int, levels: int) -> dict[str, Any]:
    truth = rng.permutation(np.arange(studies) < positives).astype(int)
    common = rng.normal(size=studies)
    scores = [0.8 * truth + common + rng.normal(size=studies) for _ in range(2)]
    rounded = np.stack([np.round((one + 5) / 10 * levels) for one in scores])
    order = np.argsort(-truth, kind="stable")
    aurocs, covariance = fastDeLong(rounded[:, order], positives, None)
    return {
        "truth": truth.tolist(),
        "scores": rounded.tolist(),
        "aurocs": aurocs.tolist(),
        "covariance": covariance.tolist(),
        "intervals": [np.asarray(roc_auc_score(truth, one)[1]).tolist() for one in rounded],
        "p": float(10 ** np.squeeze(calc_pvalue(aurocs, covariance))),
    }


def _holm(values: np.ndarray) -> dict[str, list[float]]:
    return {"p": values.tolist(), "corrected": multipletests(values, method="holm")[1].tolist()}


def _wilson(hits: int, studies: int) -> list[float]:
    return [float(bound) for bound in proportion_confint(hits, studies, method="wilson")]


if __name__ == "__main__":
    main()
