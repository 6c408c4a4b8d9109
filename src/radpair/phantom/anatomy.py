"""Where everything lies in one film, in millimetres, after body, breath and disease.

The sign of a side is 1 for the patient's left (positive x, the image's right) and -1 for the right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from radpair.phantom.frame import Floats, Points
from radpair.phantom.truth import Acquisition, Body, Exam, Finding

LEFT, RIGHT = 1, -1
BOTH = (RIGHT, LEFT)
ZONE_SPAN = {"upper": (0.16, 0.32), "middle": (0.40, 0.62), "lower": (0.70, 0.88)}
"""The part of a lung's height, 0 apex to 1 dome, where a zone's focal findings lie."""


def signs(side: str) -> tuple[int, ...]:
    """The signs of ``left``, ``right``, ``bilateral`` (both) or the midline (none)."""
    return {"left": (LEFT,), "right": (RIGHT,), "bilateral": BOTH, "": ()}[side]


@dataclass
class Anatomy:
    """The geometry of one film (mm) and the depths of its parts (cm of water)."""

    body: Body
    film: Acquisition
    findings: tuple[Finding, ...]
    apex: float
    """y of the lungs' tops."""
    half_width: float
    """Inner half width of the rib cage at its widest."""
    depth: float
    """Greatest front-to-back depth of the cavity, cm."""
    dome: dict[int, float]
    """y of each hemidiaphragm's top."""
    dome_rise: float
    """How far a dome's edge lies below its top; small when flattened."""
    fat: float
    """Chest wall outside the cage, mm."""
    front: float
    """Sideways shift of what lies in front (heart, sternum) by rotation."""
    heart: float
    """Scale of the heart's width."""
    air: float
    """Share of the lung that is air."""
    shift: float = 0.0
    """Mediastinal shift by disease, positive to the patient's left."""
    squash: float = 0.0
    """How much more horizontal an AP film's ribs and clavicles lie."""
    traits: dict[str, float] = field(default_factory=dict)
    """The patient's individual shapes, each about -1 to 1."""

    @property
    def supine(self) -> bool:
        """Whether the film is AP."""
        return self.film.position == "AP"

    @property
    def centre(self) -> float:
        """x of the mediastinum's middle."""
        return self.shift + self.front

    @property
    def carina(self) -> tuple[float, float]:
        """Where the trachea divides."""
        return (-4.0 + 0.9 * self.shift + 0.6 * self.front, self.apex + 0.36 * self.height)

    @property
    def height(self) -> float:
        """Height of the lungs, apex to the mean of the domes, were neither dome raised."""
        return self.rest - self.apex

    @property
    def rest(self) -> float:
        """y of the lower dome."""
        return max(self.dome.values())

    def of(self, kind: str) -> Iterator[tuple[Finding, int]]:
        """Every finding of ``kind`` with each of its sides (0 for the midline)."""
        for finding in self.findings:
            if finding.kind == kind:
                for sign in signs(finding.side) or (0,):
                    yield finding, sign

    def strength(self, kind: str, sign: int) -> float:
        """Severity of ``kind`` on one side; 0 where absent."""
        return max((f.severity for f, side in self.of(kind) if side in (sign, 0)), default=0.0)

    def lateral(self, y: Floats | Points) -> Floats:
        """Distance of the cage's inner wall from the midline at heights ``y``."""
        s = np.clip((y - self.apex) / (self.height + 45), 0, 1)
        rise = (1 - (1 - s) ** 2.2) ** 0.5
        tuck = 0.05 * np.clip((y - self.rest) / 60, 0, 1.5) ** 2
        widths: Floats = self.half_width * (0.42 + 0.58 * rise - tuck)
        return widths

    def medial(self, y: Floats | Points, sign: int) -> Floats:
        """Distance of the lung's inner border from the midline, on one side."""
        s = np.clip((y - self.apex) / self.height, 0, 1.2)
        fall = 1 - np.exp(-((s / 0.05) ** 0.75))
        upper, lower = (24.0, 17.0) if sign == LEFT else (22.0, 9.0)
        inner = upper + (lower - upper) * np.clip((s - 0.25) / 0.3, 0, 1)
        start = 0.42 * self.half_width
        return np.asarray(start + (inner - start) * fall + sign * self.shift, dtype=y.dtype)

    def point(self, sign: int, across: float, down: float) -> tuple[float, float]:
        """A place in a lung: ``across`` 0 inner to 1 outer border, ``down`` 0 apex to 1 dome."""
        y = self.apex + down * (self.dome[sign] - self.apex)
        at = np.asarray([y])
        inner, outer = float(self.medial(at, sign)[0]), float(self.lateral(at)[0])
        return sign * (inner + across * (outer - inner)), y

    def hilum(self, sign: int) -> tuple[float, float]:
        """Where the vessels of a lung leave the mediastinum."""
        drop = 0.41 if sign == LEFT else 0.45
        return self.centre + sign * 37, self.apex + drop * self.height

    def dome_line(self, x: Floats | Points, sign: int) -> Floats:
        """y of a hemidiaphragm over ``x``."""
        outer = self.half_width
        peak = sign * outer * 0.50
        over = (x - peak) / (outer * 0.50)
        beyond = np.clip(np.abs(over), 0, 1.3)
        curve = np.where(sign * over > 0, beyond**2.6 * 1.25, beyond**2 * 0.42)
        line: Floats = self.dome[sign] + self.dome_rise * curve
        return line


def anatomy(exam: Exam, acquisition: int) -> Anatomy:
    """The geometry of ``exam``'s film number ``acquisition``."""
    body, film = exam.body, exam.acquisitions[acquisition]
    traits = _traits(body)
    male = body.sex == "M"
    ap = film.position == "AP"
    height = (238.0 if male else 220.0) + 12 * traits["tall"] - 9 * body.build
    height += 44 * (film.inspiration - 0.62)
    apex = 62.0 + 5 * traits["neck"] + (8 if ap else 0)
    low = apex + height
    gap = 11 + 5 * traits["domes"]
    turn = np.sin(np.deg2rad(film.rotation)) * (1 if ap else -1)
    build = Anatomy(
        body=body,
        film=film,
        findings=exam.findings,
        apex=apex,
        half_width=(133.0 if male else 122.0) + 6 * traits["wide"] + 5 * body.build,
        depth=13.5 + 1.2 * traits["deep"] + (1.0 if male else 0.0),
        dome={LEFT: low, RIGHT: low - gap},
        dome_rise=34 + 6 * traits["curve"],
        fat=24 + 11 * body.build + 14 * max(body.build, 0) + 4 * traits["wall"],
        front=float(90 * turn),
        heart=(1.1 if ap else 1.0)
        * (1 + 0.05 * traits["heart"] + 0.05 * body.build - 0.1 * (film.inspiration - 0.6)),
        air=0.80,
        squash=0.35 if ap else 0.0,
        traits=traits,
    )
    _diseased(build)
    return build


_TRAITS = (
    "tall wide deep neck domes curve heart aorta ribs clavicle scapula arms breast vessels wall"
)


def _traits(body: Body) -> dict[str, float]:
    names = _TRAITS.split()
    draws = np.random.default_rng([body.seed, 1]).normal(0, 0.7, len(names))
    return dict(zip(names, np.clip(draws, -1.5, 1.5).tolist(), strict=True))


def _diseased(build: Anatomy) -> None:
    """Moves domes, heart and mediastinum as the findings do."""
    for finding in build.findings:
        amount = finding.severity
        if finding.kind == "hyperinflation":
            _hyperinflated(build, amount)
        elif finding.kind == "cardiomegaly":
            build.heart = max(build.heart, 1.0) * (1.10 + 0.42 * amount)
        for sign in signs(finding.side):
            _pulled(build, finding.kind, amount, sign)


def _hyperinflated(build: Anatomy, amount: float) -> None:
    for sign in BOTH:
        build.dome[sign] += 10 + 34 * amount
    build.dome_rise *= 1 - 0.75 * amount
    build.half_width *= 1 + 0.06 * amount
    build.depth *= 1 + 0.22 * amount
    build.heart *= 1 - 0.14 * amount
    build.air += 0.02 + 0.09 * amount


def _pulled(build: Anatomy, kind: str, amount: float, sign: int) -> None:
    if kind == "elevated_hemidiaphragm":
        build.dome[sign] -= 16 + 62 * amount
    elif kind == "lobar_collapse":
        build.dome[sign] -= 6 + 22 * amount
        build.shift += sign * (4 + 16 * amount)
    elif kind == "atelectasis":
        build.dome[sign] -= 2 + 9 * amount
    elif kind == "pneumothorax":
        build.shift -= sign * 40 * max(amount - 0.55, 0)
        build.dome[sign] += 25 * max(amount - 0.6, 0)
    elif kind == "pleural_effusion":
        build.shift -= sign * 36 * max(amount - 0.6, 0)
