"""What is true of a synthetic study, before a pixel is drawn or a word is written.

Every draw is a function of (seed, patient): the same seed gives the same studies in the same
order, and a longer list begins with the shorter one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

LUNG_ZONES = ("upper", "middle", "lower")
SIDES = ("left", "right")


@dataclass(frozen=True, slots=True)
class Kind:
    """How often one kind of finding occurs and what can vary in it."""

    label: str
    """The name of its truth label."""
    prevalence: float
    """Probability in a patient's first study."""
    persistence: float
    """Probability that it is still there at the patient's next study."""
    sides: tuple[str, ...] = SIDES
    bilateral: float = 0.0
    """Probability of both sides at once."""
    zones: tuple[str, ...] = ()
    sizes_mm: tuple[float, float] | None = None
    details: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "pleural_effusion": Kind("Pleural Effusion", 0.20, 0.6, bilateral=0.3),
        "pneumothorax": Kind("Pneumothorax", 0.10, 0.4),
        "consolidation": Kind("Consolidation", 0.16, 0.4, bilateral=0.15, zones=LUNG_ZONES),
        "atelectasis": Kind(
            "Atelectasis", 0.16, 0.5, bilateral=0.25, zones=("middle", "lower", "lower")
        ),
        "lobar_collapse": Kind("Lobar Collapse", 0.06, 0.4, zones=("upper", "lower")),
        "edema": Kind("Edema", 0.14, 0.4, sides=("bilateral",)),
        "cardiomegaly": Kind("Cardiomegaly", 0.20, 0.97, sides=("",)),
        "nodule": Kind("Nodule", 0.10, 0.9, zones=LUNG_ZONES, sizes_mm=(7.0, 28.0)),
        "mass": Kind("Mass", 0.07, 0.95, zones=LUNG_ZONES, sizes_mm=(31.0, 75.0)),
        "granuloma": Kind("Granuloma", 0.08, 1.0, zones=LUNG_ZONES, sizes_mm=(3.0, 9.0)),
        "hyperinflation": Kind("Hyperinflation", 0.10, 1.0, sides=("bilateral",)),
        "elevated_hemidiaphragm": Kind("Elevated Hemidiaphragm", 0.07, 0.9),
        "rib_fracture": Kind(
            "Rib Fracture", 0.08, 0.9, details=("4th", "5th", "6th", "7th", "8th")
        ),
        "endotracheal_tube": Kind(
            "Endotracheal Tube", 0.12, 0.5, sides=("",), details=("good", "high", "low")
        ),
        "central_line": Kind("Central Line", 0.14, 0.6, details=("svc", "cavoatrial", "atrium")),
        "pacemaker": Kind("Pacemaker", 0.09, 1.0, sides=("left", "left", "left", "right")),
    }
)
"""The findings that the phantom can show, by key."""

LABELS = tuple(kind.label for kind in KINDS.values())


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one exam."""

    kind: str
    """A key of ``KINDS``."""
    side: str
    """``left``, ``right``, ``bilateral``, or empty for the midline."""
    severity: float
    """0 barely visible to 1 severe."""
    zone: str = ""
    """``upper``, ``middle`` or ``lower`` third of the lung, where it matters."""
    size_mm: float = 0.0
    """Diameter of a focal lesion."""
    detail: str = ""
    """The rib of a fracture; where a tube's or a line's tip lies."""
    seed: int = 0
    """Fixes shape and exact place, so that a finding that stays looks the same."""


@dataclass(frozen=True, slots=True)
class Body:
    """The patient's own anatomy, the same in every exam."""

    sex: str
    """``F`` or ``M``."""
    age: int
    """Years, 18 to 95."""
    build: float
    """-1 thin to 1 heavy."""
    seed: int
    """Fixes the patient's individual shapes."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How one film was taken."""

    position: str
    """``PA`` or ``AP``."""
    rotation: float
    """Degrees; positive turns the patient's left side towards the detector."""
    inspiration: float
    """0 poor to 1 deep."""
    exposure: float
    """-1 too light to 1 too dark."""
    noise: float
    """0 clean to 1 grainy."""
    seed: int


@dataclass(frozen=True, slots=True)
class Exam:
    """Everything that is true of one study; images, report and graph follow from it."""

    study_id: str
    patient_id: str
    number: int
    """0 for the patient's first study."""
    body: Body
    acquisitions: tuple[Acquisition, ...]
    findings: tuple[Finding, ...]
    previous: tuple[Finding, ...] | None = None
    """The findings of the patient's study before, or None for the first."""
    seed: int = 0
    """Fixes the wording of the report."""
    labels: Mapping[str, float] = field(default_factory=dict)


def exams(count: int, seed: int) -> list[Exam]:
    """The first ``count`` exams of the synthetic hospital ``seed``, patient by patient."""
    found: list[Exam] = []
    patient = 0
    while len(found) < count:
        found.extend(patient_exams(patient, seed))
        patient += 1
    return found[:count]


def truth_labels(findings: tuple[Finding, ...]) -> dict[str, float]:
    """1 or 0 for every label of ``LABELS``."""
    shown = {finding.kind for finding in findings}
    return {kind.label: float(key in shown) for key, kind in KINDS.items()}


def patient_exams(patient: int, seed: int) -> list[Exam]:
    """Every exam of one patient, in order of time; ``patient`` counts from 0."""
    rng = np.random.default_rng([seed, patient])
    body = _body(rng)
    chain: list[Exam] = []
    previous: tuple[Finding, ...] | None = None
    for number in range(int(rng.choice((1, 2, 3, 4), p=(0.5, 0.28, 0.14, 0.08)))):
        findings = _first_findings(rng) if previous is None else _next_findings(rng, previous)
        chain.append(
            Exam(
                study_id=f"s{seed:03d}-{patient:06d}-{number}",
                patient_id=f"p{seed:03d}-{patient:06d}",
                number=number,
                body=body,
                acquisitions=_acquisitions(rng, findings),
                findings=findings,
                previous=previous,
                seed=_seed(rng),
                labels=truth_labels(findings),
            )
        )
        previous = findings
    return chain


def _body(rng: np.random.Generator) -> Body:
    return Body(
        sex="F" if rng.random() < 0.48 else "M",
        age=int(np.clip(rng.normal(58, 18), 18, 95)),
        build=float(np.clip(rng.normal(0, 0.45), -1, 1)),
        seed=_seed(rng),
    )


def _first_findings(rng: np.random.Generator) -> tuple[Finding, ...]:
    if rng.random() < 0.22:
        return ()
    return _compatible(
        [_finding(rng, key) for key, kind in KINDS.items() if rng.random() < kind.prevalence]
    )


def _next_findings(rng: np.random.Generator, before: tuple[Finding, ...]) -> tuple[Finding, ...]:
    stayed = [
        _progressed(rng, finding)
        for finding in before
        if rng.random() < KINDS[finding.kind].persistence
    ]
    kinds = {finding.kind for finding in before}
    fresh = [
        _finding(rng, key)
        for key, kind in KINDS.items()
        if key not in kinds and rng.random() < 0.5 * kind.prevalence
    ]
    return _compatible(stayed + fresh)


def _finding(rng: np.random.Generator, key: str) -> Finding:
    kind = KINDS[key]
    side = str(rng.choice(kind.sides))
    if rng.random() < kind.bilateral:
        side = "bilateral"
    return Finding(
        kind=key,
        side=side,
        severity=round(float(rng.beta(1.6, 1.6)), 3),
        zone=str(rng.choice(kind.zones)) if kind.zones else "",
        size_mm=round(float(rng.uniform(*kind.sizes_mm)), 1) if kind.sizes_mm else 0.0,
        detail=str(rng.choice(kind.details)) if kind.details else "",
        seed=_seed(rng),
    )


def _progressed(rng: np.random.Generator, finding: Finding) -> Finding:
    """The same finding a while later: a little more or less, or unchanged."""
    drift = float(rng.choice((0.0, 0.0, rng.normal(0, 0.25))))
    severity = round(float(np.clip(finding.severity + drift, 0.02, 1.0)), 3)
    return Finding(
        finding.kind,
        finding.side,
        severity,
        finding.zone,
        finding.size_mm,
        finding.detail,
        finding.seed,
    )


def _compatible(findings: list[Finding]) -> tuple[Finding, ...]:
    """Leaves out what cannot be seen together: collapse hides consolidation of its side."""
    collapsed = {f.side for f in findings if f.kind == "lobar_collapse"}
    kept = []
    for finding in findings:
        hidden = finding.kind in {"consolidation", "mass"} and (
            finding.side in collapsed or (collapsed and finding.side == "bilateral")
        )
        raised = finding.kind == "elevated_hemidiaphragm" and any(
            f.kind == "pleural_effusion" and f.side in {finding.side, "bilateral"} for f in findings
        )
        if not hidden and not raised:
            kept.append(finding)
    return tuple(kept)


def _acquisitions(
    rng: np.random.Generator, findings: tuple[Finding, ...]
) -> tuple[Acquisition, ...]:
    bedside = any(f.kind in {"endotracheal_tube", "central_line"} for f in findings)
    position = "AP" if rng.random() < (0.9 if bedside else 0.25) else "PA"
    films = 2 if rng.random() < 0.12 else 1
    return tuple(
        Acquisition(
            position=position,
            rotation=round(float(rng.normal(0, 3.0 if position == "AP" else 1.5)), 2),
            inspiration=round(float(rng.beta(2, 3) if position == "AP" else rng.beta(4, 2)), 3),
            exposure=round(float(np.clip(rng.normal(0, 0.35), -1, 1)), 3),
            noise=round(float(rng.beta(1.5, 4)), 3),
            seed=_seed(rng),
        )
        for _ in range(films)
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
