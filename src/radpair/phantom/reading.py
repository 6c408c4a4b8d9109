"""What the reader of a synthetic exam sees, doubts, passes over and denies.

The label noise of the reports is decided here and nowhere else:

* a finding is left out with a probability that falls with its severity, about 12 % overall;
* a subtle finding (severity below 0.3) that is left out counts as overlooked: the report may then
  deny it or call its organ normal (about 2 % of all findings are denied by name);
* a finding of severity 0.3 or more that is left out is passed over in silence: nothing in the
  report contradicts it;
* in about 3 % of exams a finding that is not there is raised as a possibility.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from radpair.phantom.doubt import DENIAL_RATE, DENIED_BESIDE
from radpair.phantom.truth import KINDS, Exam, Finding

SUBTLE = 0.3
"""Below this severity a finding may be overlooked and then denied."""
DEVICES = frozenset({"endotracheal_tube", "central_line", "pacemaker"})
STEADY = frozenset({"nodule", "mass", "rib_fracture", "cardiomegaly", "granuloma"}) | DEVICES
_NEVER_NEW = frozenset({"cardiomegaly", "granuloma", "hyperinflation", "pacemaker"})
_IMPORTANCE = {
    "mass": 1.8,
    "pneumothorax": 1.5,
    "rib_fracture": 0.5,
    "hyperinflation": 0.4,
    "granuloma": 0.1,
    "pacemaker": 0.05,
}
_FALSE_ALARMS = ("pleural_effusion", "consolidation", "atelectasis", "nodule", "edema")
_FALSE_ALARM_RATE = 0.008


@dataclass(frozen=True, slots=True)
class Seen:
    """One finding as the reader takes it."""

    finding: Finding
    status: int
    """1 present, -1 uncertain, 0 gone since the study before."""
    change: str = ""
    """``new``, ``worse``, ``better``, ``same``, or empty where nothing is compared."""

    @property
    def weight(self) -> float:
        """How much it matters for the impression."""
        if self.status == 0:
            return 0.1
        return _IMPORTANCE.get(self.finding.kind, 0.8) * (0.5 + self.finding.severity)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that the report may say of the truth."""

    seen: tuple[Seen, ...]
    silent: frozenset[str]
    """Kinds that are there, are not mentioned, and must not be contradicted."""
    denied: tuple[str, ...]
    """Kinds that the reader troubles to deny."""

    @property
    def shown(self) -> frozenset[str]:
        """Kinds that the report calls present or possible."""
        return frozenset(seen.finding.kind for seen in self.seen if seen.status)

    @property
    def closed(self) -> frozenset[str]:
        """Kinds that no sentence may deny, openly or by calling an organ normal."""
        return self.shown | self.silent

    def may_deny(self, kind: str) -> bool:
        """Whether a denial of ``kind`` contradicts nothing that was seen."""
        beside = DENIED_BESIDE.get(kind, frozenset())
        gone = {seen.finding.kind for seen in self.seen if not seen.status}
        return kind not in self.closed | gone and not beside & self.closed


def read_exam(exam: Exam, rng: random.Random) -> Reading:
    """What the reader makes of an exam; a function of the exam and the generator's state."""
    seen: list[Seen] = []
    silent: set[str] = set()
    before = {finding.kind: finding for finding in exam.previous or ()}
    compares = exam.previous is not None and rng.random() < 0.8
    for finding in exam.findings:
        if rng.random() < mention_rate(finding):
            status = -1 if rng.random() < _doubt_rate(finding) else 1
            change = _change(finding, before, rng) if compares and status == 1 else ""
            seen.append(Seen(finding, status, change))
        elif finding.severity >= SUBTLE or finding.kind in DEVICES:
            silent.add(finding.kind)
    kinds = {finding.kind for finding in exam.findings}
    if compares:
        seen += [
            Seen(finding, 0)
            for kind, finding in before.items()
            if kind not in kinds and kind not in _NEVER_NEW and rng.random() < 0.6
        ]
    seen += _false_alarms(kinds | set(before), rng)
    reading = Reading(tuple(seen), frozenset(silent), ())
    denied = [
        kind for kind, rate in DENIAL_RATE.items() if rng.random() < rate and reading.may_deny(kind)
    ]
    return Reading(reading.seen, reading.silent, tuple(denied))


def mention_rate(finding: Finding) -> float:
    """Probability that the report speaks of the finding: about 0.5 barely visible to 0.97."""
    if finding.kind in DEVICES:
        return 0.96
    return min(0.48 + 0.95 * finding.severity, 0.965)


def _doubt_rate(finding: Finding) -> float:
    if finding.kind in DEVICES:
        return 0.025
    if finding.severity < 0.25:
        return 0.32
    return 0.15 if finding.severity < 0.5 else 0.05


def _change(finding: Finding, before: dict[str, Finding], rng: random.Random) -> str:
    if rng.random() < 0.3:
        return ""
    old = before.get(finding.kind)
    if old is None:
        return "" if finding.kind in _NEVER_NEW else "new"
    drift = finding.severity - old.severity
    if abs(drift) < 0.08 or finding.kind in STEADY:
        return "same"
    return "worse" if drift > 0 else "better"


def _false_alarms(known: set[str], rng: random.Random) -> list[Seen]:
    alarms = []
    for kind in _FALSE_ALARMS:
        if kind not in known and rng.random() < _FALSE_ALARM_RATE:
            allowed = KINDS[kind]
            alarms.append(
                Seen(
                    Finding(
                        kind=kind,
                        side=rng.choice(allowed.sides),
                        severity=0.1,
                        zone=rng.choice(allowed.zones) if allowed.zones else "",
                        size_mm=8.0 if allowed.sizes_mm else 0.0,
                    ),
                    -1,
                )
            )
    return alarms
