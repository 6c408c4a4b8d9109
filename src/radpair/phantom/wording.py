"""How a radiologist names each finding: noun phrases, whole sentences, hedges and negations.

Names inside a phrase: ``e`` is the finding, ``l`` the anatomy it lies in. The slots are filled by
``radpair.phantom.naming``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrase:
    """One wording and when it fits."""

    text: str
    sides: str = "*"
    """``1`` one-sided, ``2`` bilateral, ``*`` either."""
    plural: bool = False
    low: float = 0.0
    high: float = 1.01
    zone: str = ""
    """Only for a finding of this zone."""

    def fits(self, side: str, severity: float, zone: str) -> bool:
        """Whether the phrase can be said of a finding of this side, severity and zone."""
        return (
            self.low <= severity < self.high
            and (self.sides == "*" or (self.sides == "2") == (side == "bilateral"))
            and self.zone in {"", zone}
        )


def _one(text: str, low: float = 0.0, high: float = 1.01, zone: str = "") -> Phrase:
    return Phrase(text, "1", False, low, high, zone)


def _two(text: str, low: float = 0.0) -> Phrase:
    return Phrase(text, "2", True, low)


def _any(text: str, low: float = 0.0, high: float = 1.01) -> Phrase:
    return Phrase(text, "*", False, low, high)


NAMES: Mapping[str, tuple[Phrase, ...]] = {
    "pleural_effusion": (
        _one("{a} {chg} {sev} {side} [pleural|al] [effusion|ke>l]"),
        _one("{a} {chg} {sev} {side} [pleural|al] [effusion|ke>l]"),
        _one("{a} {chg} {sev} {alone} [effusion|ke>l]"),
        _one("{a} {chg} {sev} [pleural|al] [effusion|ke>l] on the [{lr}|a>l]"),
        _one("{a} {chg} {sev} [layering|o>e] {side} [pleural|al] [effusion|ke>l]", 0.5),
        _one("{the} {chg} [blunting|ke>l] of the {side} {cpa}", 0.0, 0.35),
        _one("{the} {chg} {sev} {side} [pleural|al] [fluid|ke>l]", 0.2),
        _two("{the} {chg} {sev} [bilateral|a>l] [pleural|al] [effusions|ke>l]"),
        _two("{the} {chg} {sev} [bilateral|al] [effusions|ke>l]"),
        _two("{the} {chg} {sev} [layering|o>e] [bilateral|a>l] [pleural|al] [effusions|ke>l]", 0.5),
        Phrase(
            "{the} {chg} [blunting|ke>l] of [both|a>l] [costophrenic|al] [angles|a>l]",
            "2",
            high=0.35,
        ),
    ),
    "pneumothorax": (
        _any("{a} {chg} {sev} {alone} [pneumothorax|ke>l]"),
        _any("{a} {chg} {sev} {alone} [pneumothorax|ke>l]"),
        _one("{a} {chg} {sev} {side} [apical|al] [pneumothorax|ke>l]", 0.0, 0.6),
        _one("{a} {chg} {sev} [pneumothorax|ke>l] on the [{lr}|al]"),
        _one("{a} {chg} {sev} [pneumothorax|ke>l] at the {side} [<apex/lung apex>|al]", 0.0, 0.5),
    ),
    "consolidation": (
        _any("{the} {chg} {sev} [consolidation|ke>l] {in_loc}"),
        _any("{the} {chg} {sev} {loc} [consolidation|ke>l]"),
        _one("{a} {chg} {sev} [opacity|ke>l] {in_loc}"),
        _one("{a} {chg} {sev} {loc} [opacity|ke>l]"),
        _one("{a} {chg} {sev} [airspace|aw] [opacity|ke>w>l] {in_loc}"),
        _one("{a} {chg} {sev} {loc} [airspace|aw] [opacity|ke>w>l]"),
        _one("{a} {chg} {sev} [infiltrate|ke>l] {in_loc}"),
        _one("{a} {chg} area of {sev} [consolidation|ke>l] {in_loc}"),
        _any("{the} {chg} [airspace|aw] [opacification|ke>w>l] {in_loc}", 0.4),
        _any("{the} {chg} [<confluent/dense>|o>e] [opacification|ke>l] {in_loc}", 0.65),
        _two("{the} {chg} {sev} {loc} [<opacities/infiltrates/consolidations>|ke>l]"),
        _two("{the} {chg} {sev} {loc} [airspace|aw] [opacities|ke>w>l]"),
        _two("{the} {chg} {sev} [airspace|aw] [opacities|ke>w>l] {in_loc}"),
        _two("{the} {chg} foci of {sev} [consolidation|ke>l] {in_loc}"),
    ),
    "atelectasis": (
        _any("{the} {chg} {sev} {loc} [atelectasis|ke>l]"),
        _any("{the} {chg} {sev} {loc} [atelectasis|ke>l]"),
        _any("{the} {chg} {sev} {streak} [atelectasis|ke>l] {in_loc}"),
        _any("{the} {chg} {streak} {loc} [atelectasis|ke>l]"),
        _any("{the} {chg} {sev} [atelectasis|ke>l] {in_loc}"),
        _any("{the} {chg} {sev} {loc} [atelectatic|o>e] [change|ke>l]"),
        _one("{a} {chg} band of [atelectasis|ke>l] {in_loc}"),
        _two("{the} {chg} bands of [atelectasis|ke>l] {in_loc}"),
        _two("{the} {chg} {sev} {loc} [atelectatic|o>e] [changes|ke>l]"),
    ),
    "lobar_collapse": (
        _any("{the} {chg} {sev} [collapse|ke>l] of the {lobe}"),
        _any("{the} {chg} {sev} {lobe} [collapse|ke>l]"),
        _any("{the} {chg} {lobe} [collapse|ke>l]"),
        _any("{the} {chg} {sev} [atelectatic|o>e] [collapse|ke>l] of the {lobe}"),
    ),
    "edema": (
        _any("{the} {chg} {sev} [interstitial|aw] [edema|ke>w]"),
        _any("{the} {chg} {sev} [pulmonary|al] [edema|ke>l]"),
        _any("{the} {chg} {sev} [interstitial|aw] [pulmonary|al] [edema|ke>l>w]"),
        _any("{the} {chg} {sev} [pulmonary|al] [interstitial|aw] [edema|ke>w>l]"),
        _any("{the} {sev} [prominence|ke>m] of the [interstitial|aw] [markings|om>w]"),
        Phrase("{the} {sevly} [increased|o>e] [interstitial|aw] [markings|ke>w]", plural=True),
    ),
    "cardiomegaly": (
        _any("{the} {chg} {sev} [cardiomegaly|ke]"),
        _any("{the} {chg} {sev} [cardiomegaly|ke]"),
        _any(
            "{the} {chg} {sev} [enlargement|ke>l] of the <[cardiac|al] [silhouette|a>l]/[heart|al]>"
        ),
        _any("{the} {chg} {sev} [cardiac|al] [enlargement|ke>l]"),
    ),
    "nodule": (
        _one("{a} {chg} {mm} [nodule|ke>l] {in_loc}"),
        _one("{a} {chg} {mm} {loc} [nodule|ke>l]"),
        _one("{a} {chg} {sev} {loc} [nodule|ke>l]"),
        _one("{a} {chg} {sev} [nodular opacity|ke>l] {in_loc}"),
        _one("{a} {chg} {sev} [pulmonary|a^l] [nodule|ke>l] {in_loc} measuring {mm}"),
        _one("{a} {chg} {mm} [rounded|o>e] [opacity|ke>l] {in_loc}"),
    ),
    "mass": (
        _one("{a} {chg} {mm} [mass|ke>l] {in_loc}"),
        _one("{a} {chg} {mm} {loc} [mass|ke>l]"),
        _one("{a} {chg} {sev} {loc} [mass|ke>l]"),
        _one("{a} {chg} {sev} [mass|ke>l] {in_loc} measuring <approximately/up to/> {mm}"),
        _one("{a} {chg} {sev} [mass-like|o>e] [opacity|ke>l] {in_loc}", 0.0, 0.6),
    ),
    "granuloma": (
        _one("{a} {chg} {mm} [calcified|o>e] [granuloma|ke>l] {in_loc}"),
        _one("{a} {chg} {sev} [calcified|o>e] [granuloma|ke>l] {in_loc}"),
        _one("{a} {chg} [calcified|o>e] {loc} [granuloma|ke>l]"),
        _one("{a} {chg} {sev} {loc} [granuloma|ke>l]"),
        _one("{a} {chg} [densely|o>c] [calcified|oc>e] [nodule|ke>l] {in_loc}", 0.3),
    ),
    "hyperinflation": (
        _any("{the} {chg} {sev} [hyperinflation|ke>l] of the [lungs|al]"),
        _any("{the} {chg} {sev} [hyperinflation|ke]"),
        _any("{the} {chg} {sev} [pulmonary|al] [hyperinflation|ke>l]"),
        _any("{the} {chg} {sev} [hyperexpansion|ke>l] of [both|a>l] [lungs|al]"),
    ),
    "elevated_hemidiaphragm": (
        _one("{the} {chg} {sev} [elevation|ke>l] of the {side} [hemidiaphragm|al]"),
        _one("{a} {sevly} [elevated|ke>l] {side} [hemidiaphragm|al]"),
        _one("{the} {chg} {sev} {side} [hemidiaphragm|al] [elevation|ke>l]"),
    ),
    "rib_fracture": (
        _one("{a} {chg} {sev} [fracture|ke>l] of the {side} [{rib}|a>l] [rib|al]"),
        _one("{a} {chg} {sev} {side} [{rib}|a>l] [rib|al] [fracture|ke>l]"),
        _one("{a} {chg} {sev} [rib|al] [fracture|ke>l] on the [{lr}|a>l]"),
        _one("{a} {chg} {sev} [fracture deformity|ke>l] of the {side} [{rib}|a>l] [rib|al]"),
    ),
    "endotracheal_tube": (
        _any("{a} {chg} [endotracheal tube|ke]"),
        _any("{a} {chg} [<ET tube/ETT/endotracheal tube>|ke]"),
        _any("{a} {chg} [endotracheal tube|ke] {tip_ing}"),
    ),
    "central_line": (
        _one("{a} {chg} {line}"),
        _one("{a} {chg} {line} {tip_ing}"),
    ),
    "pacemaker": (
        _one("{a} {chg} {alone} [<pacemaker/pacing device/cardiac pacemaker/pacer>|ke>l]"),
        _one("{a} {chg} {side} [<chest wall/pectoral>|al] [<pacemaker/pacing device>|ke>l]"),
        _one("{a} {chg} {alone} [pacemaker|ke>l] with [leads|p>e] {leads}"),
    ),
}
"""Noun phrases by kind, with a place for article, change, and severity."""

SENTENCES: Mapping[str, tuple[Phrase, ...]] = {
    "pleural_effusion": (
        _one("{def} {side} {cpa} is [blunted|ke>l]", 0.0, 0.35),
        _one(
            "[<Fluid/Pleural fluid>|ke>l] {layers} along the {side} [<chest wall/hemithorax>|al]",
            0.7,
        ),
        _one(
            "[Opacification|po>b] of the {side} [<lung base/lower hemithorax>|ab] is "
            "<compatible/consistent> with {a} {sev} [pleural|al] [effusion|ke>l=o]",
            0.5,
        ),
    ),
    "consolidation": (
        _any("[Consolidation|ke>l] <is seen/is present/is noted> {in_loc}"),
        _one("{there} {chg} {sev} {loc} [opacity|ke>l] {ddx}"),
        _one("{there} {chg} {sev} [opacity|ke>l] {in_loc} {ddx}"),
        _any("{there_is} {chg} {sev} {loc} [consolidation|ke>l] {ddx}"),
        _two("{there_are} {chg} {sev} {loc} [opacities|ke>l] {ddx}"),
    ),
    "atelectasis": (
        _any(
            "[<Linear/Streaky/Band-like>|po>p] [<opacity/density>|pp>l] {in_loc} <is "
            "compatible/consistent/is most compatible> with [atelectasis|ke=p]"
        ),
        _two("{there_are} {streak} {loc} [opacities|pp>l] compatible with [atelectasis|ke=p]"),
    ),
    "lobar_collapse": (
        _any(
            "[Opacification|po>l] of the {lobe} with [volume loss|pv] is "
            "<compatible/consistent> with {sev} [collapse|ke>l=o]"
        ),
        _any("{def} {lobe} is {sevly} [collapsed|ke>l]"),
    ),
    "edema": (
        _any(
            "[Interstitial|aw] [markings|pm>w] are {sevly} [increased|p>m] <bilaterally/diffusely/>"
            ", <compatible/consistent> with [edema|ke=m]"
        ),
        _any(
            "[Indistinct|p>v] [pulmonary|a>l] [<vasculature/vessels>|al] and [Kerley B lines|pv]"
            " indicate {sev} [interstitial|aw] [edema|ke>w=v]",
            0.4,
        ),
        _any("{there_is} {chg} {sev} [interstitial|aw] [edema|ke>w] {ddx}"),
    ),
    "cardiomegaly": (
        _any("{def} <[cardiac|al] [silhouette|a>l]/[heart|al]> {be} {sevly} [enlarged|ke>l]"),
        _any("{def} [heart|al] [size|a>l] {be} {sevly} [enlarged|ke>l]"),
        _any("{def} [cardiomediastinal|al] [silhouette|a>l] {be} {sevly} [enlarged|ke>l]"),
    ),
    "nodule": (
        _one(
            "{a} {chg} {mm} [<opacity/nodule>|ke>l] <projects/is seen projecting> over the {place}"
        ),
        _one("{there} {mm} {loc} [nodule|ke>l] {ddx}"),
    ),
    "mass": (
        _one("{a} {chg} {mm} [mass|ke>l] <projects over/occupies part of> the {place}"),
        _one("{there} {mm} {loc} [mass|ke>l] {ddx}"),
    ),
    "granuloma": (
        _one("[Calcified|o>e] [granuloma|ke>l] <projects over/is seen over> the {loc}"),
        _one("{there} {loc} [calcified|o>e] [granuloma|ke>l] {ddx}"),
    ),
    "hyperinflation": (
        _any("{def} [lungs|al] are {sevly} [<hyperinflated/hyperexpanded>|ke>l]"),
        _any(
            "{def} [lungs|al] are {sevly} [hyperinflated|ke>l] with [flattening|p>d] of the "
            "[<diaphragm/hemidiaphragms>|ad]",
            0.3,
        ),
        _any("{there_is} {sev} [hyperinflation|ke] {ddx}"),
    ),
    "elevated_hemidiaphragm": (
        _one("{def} {side} [hemidiaphragm|al] is {sevly} [elevated|ke>l]"),
        _one("{def} {side} [<hemidiaphragm/diaphragm>|al] <lies/sits> {sevly} [high|ke>l]"),
    ),
    "rib_fracture": (
        _one("{def} {side} [{rib}|a>l] [rib|al] is {sevly} [fractured|ke>l]", 0.3),
        _one("{a} {sev} [fracture|ke>l] involves the {side} [{rib}|a>l] [rib|al]"),
    ),
    "endotracheal_tube": (
        _any("{def} [<endotracheal tube/ET tube/ETT>|ke] {tip_s}"),
        _any("{def} [<endotracheal tube/ET tube/ETT>|ke] {tip_s}"),
        _any("{def} [tip|o>e] of the [<endotracheal tube/ET tube>|ke] {tip_of}"),
        _any("{def} patient is intubated with the [<endotracheal tube/ETT>|ke] {tip_ing}"),
    ),
    "central_line": (
        _one("{a} {line} {tip_s}"),
        _one("{def} {line} {tip_s}"),
        _one("{def} [tip|o>e] of the {line} {tip_of}"),
    ),
    "pacemaker": (
        _one("{a} {alone} [<pacemaker/pacer/pacing device>|ke>l] is <in place/present/noted>"),
        _one("{a} {side} [chest|al] [<pacemaker/pacing device>|ke>l] has [leads|p>e] {leads}"),
        _one("[Leads|p>e] of the {alone} [<pacemaker/pacing device>|ke>l] are {leads}"),
    ),
}
"""Whole sentences by kind, for findings that are stated as present."""
