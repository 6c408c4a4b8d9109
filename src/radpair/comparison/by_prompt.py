"""Films by a prompt: how many of the ten nearest to a finding's text, or graph, show the finding.

As ``radpair evaluate retrieval`` asks by prompts (``class_retrieval``), one query a label: the mean
of the prompts that state the finding present. Kept with its resamples, so that models are compared
on the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radpair.comparison.bench import Bench, Seen
from radpair.comparison.kept import Unit
from radpair.comparison.likeness import AT, likened
from radpair.comparison.protocols import prompted, why_no_prompts
from radpair.comparison.retrieved import parts
from radpair.comparison.runs import Runner
from radpair.evaluation.class_retrieval import ask
from radpair.evaluation.features import unit_length
from radpair.evaluation.zero_shot import encode_prompts

TASK = "by-prompt"
DEPTHS = (5, AT)


def title_of(kind: str) -> str:
    """What the protocol is called."""
    return f"{kind} prompts \u2192 images"


def why_not_by_prompt(kind: str, runner: Runner, bench: Bench) -> str | None:
    """Why films cannot be asked for by prompts of this kind, or None."""
    reason = why_no_prompts(kind, runner, bench)
    if reason is None and not _asked(bench, kind):
        return f"no label with {kind} prompts has {AT} tested studies"
    return reason


def find_by_prompt(kind: str, seen: Seen, resamples: int, seed: int) -> Unit:
    """Precision at 5 and 10, the mean over labels, with resamples of the candidates' patients.

    Arrays: the parts of ``precision_5`` and ``precision_10`` that ``measured.sample_of`` reads.
    """
    bench = seen.bench
    names = _asked(bench, kind)
    model = seen.encoded.model
    codes = encode_prompts(model, {name: bench.prompts[name] for name in names}, kind)
    truth = bench.tested_truth[:, bench.columns(names)]
    films = unit_length(seen.encoded.study_projections[bench.test])
    found = ask(
        *(codes.present, np.arange(len(names)), films, truth, bench.tested_patients),
        *(None, DEPTHS, resamples, seed),
    )
    arrays: dict[str, NDArray[Any]] = {}
    for k in DEPTHS:
        arrays |= parts(f"precision_{k}", found.precision(k))
    facts = {
        "labels": ["all"],
        "notes": {},
        "asked": list(names),
        "queries": len(names),
        "candidates": len(bench.test),
        "patients": len(set(bench.tested_patients)),
        "prompts_hash": codes.hash,
        "chance": {f"precision_{k}": float(found.chance.mean()) for k in DEPTHS},
    }
    return Unit(arrays, facts)


def _asked(bench: Bench, kind: str) -> tuple[str, ...]:
    """Labels with prompts of this kind and enough candidates."""
    known = likened(bench)
    return tuple(name for name in prompted(bench, kind) if name in known)
