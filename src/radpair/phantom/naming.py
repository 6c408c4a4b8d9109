"""What fills the slots of a finding's phrases: side, place, size, severity, tip of a tube."""

from __future__ import annotations

import random
from collections.abc import Mapping

from radpair.phantom.truth import Finding

BILATERAL = "bilateral"

_SEVERITIES: Mapping[str, tuple[tuple[float, tuple[str, ...]], ...]] = {
    "pleural_effusion": (
        (0.18, ("trace", "tiny", "minimal", "very small")),
        (0.42, ("small", "small")),
        (0.7, ("moderate", "moderate-sized", "moderate")),
        (1.01, ("large", "large")),
    ),
    "pneumothorax": (
        (0.2, ("tiny", "trace", "very small")),
        (0.45, ("small",)),
        (0.72, ("moderate", "moderate-sized")),
        (1.01, ("large",)),
    ),
    "consolidation": (
        (0.3, ("subtle", "faint", "hazy", "ill-defined", "mild")),
        (0.65, ("patchy", "patchy", "hazy", "moderate")),
        (1.01, ("dense", "confluent", "extensive")),
    ),
    "atelectasis": (
        (0.35, ("minimal", "mild", "slight")),
        (0.7, ("moderate",)),
        (1.01, ("marked", "substantial")),
    ),
    "lobar_collapse": (
        (0.45, ("partial", "incomplete")),
        (0.75, ("near-complete", "subtotal")),
        (1.01, ("complete",)),
    ),
    "edema": (
        (0.2, ("minimal", "very mild")),
        (0.45, ("mild",)),
        (0.75, ("moderate",)),
        (1.01, ("severe", "marked")),
    ),
    "cardiomegaly": (
        (0.2, ("borderline", "minimal")),
        (0.45, ("mild",)),
        (0.75, ("moderate",)),
        (1.01, ("severe", "marked")),
    ),
    "nodule": (
        (0.3, ("faint", "subtle", "ill-defined")),
        (0.6, ("small", "rounded")),
        (1.01, ("well-defined", "discrete", "solid")),
    ),
    "mass": (
        (0.35, ("ill-defined", "faint")),
        (0.7, ("rounded", "lobulated")),
        (1.01, ("dense", "well-defined")),
    ),
    "granuloma": (
        (0.4, ("small", "faint")),
        (1.01, ("small", "dense")),
    ),
    "hyperinflation": (
        (0.4, ("mild",)),
        (0.75, ("moderate",)),
        (1.01, ("marked", "severe")),
    ),
    "elevated_hemidiaphragm": (
        (0.4, ("mild", "slight")),
        (0.75, ("moderate",)),
        (1.01, ("marked",)),
    ),
    "rib_fracture": (
        (0.4, ("nondisplaced", "non-displaced", "subtle")),
        (0.7, ("minimally displaced", "mildly displaced")),
        (1.01, ("displaced",)),
    ),
}
_ADVERBS: Mapping[str, str] = {
    "minimal": "minimally",
    "very mild": "minimally",
    "mild": "mildly",
    "slight": "slightly",
    "moderate": "moderately",
    "marked": "markedly",
    "severe": "severely",
    "borderline": "borderline",
    "partial": "partially",
    "incomplete": "incompletely",
    "near-complete": "almost completely",
    "subtotal": "almost completely",
    "complete": "completely",
}
_SPELLED = {"4th": "fourth", "5th": "fifth", "6th": "sixth", "7th": "seventh", "8th": "eighth"}
_LOBES = {
    ("left", "upper"): "LUL",
    ("left", "lower"): "LLL",
    ("right", "upper"): "RUL",
    ("right", "middle"): "RML",
    ("right", "lower"): "RLL",
}


def slots(finding: Finding, rng: random.Random, severity_rate: float = 0.6) -> dict[str, str]:
    """Templates for every slot that a phrase about this finding may hold."""
    side, kind = finding.side, finding.kind
    named = severity_word(finding, rng) if rng.random() < severity_rate else ""
    filled = {
        "lr": side,
        "side": f"[{side}|a>l]",
        "side_c": f"[{side}|a>c]",
        "alone": "[bilateral|al]" if side == BILATERAL else f"[<{side}/{side}/{side}-sided>|al]",
        "sev": f"[{named}|o>e]" if named else "",
        "sevly": f"[{_ADVERBS[named]}|o>e]" if named in _ADVERBS else "",
    }
    if finding.zone:
        filled["in_loc"] = _in_place(side, finding.zone)
        filled["loc"] = _place(side, finding.zone)
        filled["place"] = _place_noun(side, finding.zone)
        filled["lobe"] = f"[{side}|a>l] [{finding.zone}|a>l] [lobe|al]"
    if finding.size_mm:
        filled["mm"] = f"[{size(finding.size_mm, finding.seed)}|o>e]"
    filled.update(_kind_slots(finding, kind))
    return filled


def severity_word(finding: Finding, rng: random.Random) -> str:
    """An adjective for the severity, or nothing for a kind that has none."""
    for limit, words in _SEVERITIES.get(finding.kind, ()):
        if finding.severity < limit:
            return rng.choice(words)
    return ""


def size(millimetres: float, seed: int) -> str:
    """A diameter as a reader would dictate it, in mm or cm; one finding keeps its unit."""
    if millimetres < 10 or (millimetres < 30 and seed % 3):
        return f"{max(round(millimetres), 2)} mm"
    return f"{millimetres / 10:.1f} cm"


def _kind_slots(finding: Finding, kind: str) -> dict[str, str]:
    if kind == "pleural_effusion":
        return {
            "cpa": "<[costophrenic|al] [<angle/sulcus>|a>l]/[<costophrenic/CP>|al] [angle|a>l]>",
            "layers": "<layers/tracks>",
        }
    if kind == "atelectasis":
        return {"streak": "[<linear/streaky/platelike/subsegmental/discoid/band-like>|o>e]"}
    if kind == "rib_fracture":
        return {"rib": f"<{finding.detail}/{_SPELLED[finding.detail]}>"}
    if kind == "endotracheal_tube":
        return _tips(_tube_tip(finding))
    if kind == "central_line":
        return {"line": _line(finding), **_tips(_line_tip(finding))}
    if kind == "pacemaker":
        return {
            "leads": "<in expected position/in standard position/in the expected location/in "
            "appropriate position>"
        }
    return {}


def _in_place(side: str, zone: str) -> str:
    if side == BILATERAL:
        return {
            "upper": "in [both|a>l] [upper|a>l] [<lobes/lungs/lung zones>|al]",
            "middle": "in the [mid|a>l] [lungs|al] <bilaterally/on both sides>",
            "lower": "<at the [lung|al] [bases|a>l] <bilaterally/>/at [both|a>l] [lung|al] "
            "[bases|a>l]/in [both|a>l] [lower|a>l] [lobes|al]>",
        }[zone]
    return f"<in the/in the/within the> {_place_noun(side, zone)}"


def _place(side: str, zone: str) -> str:
    if side == BILATERAL:
        return {
            "upper": "[bilateral|a>l] [upper|a>l] [<lobe/lung/zone>|al]",
            "middle": "[bilateral|a>l] [<midlung/mid lung>|al]",
            "lower": "<[bibasilar|al]/[bibasilar|al]/[bilateral|a>l] [basilar|al]/[bilateral|a>l] "
            "[lower|a>l] [lobe|al]>",
        }[zone]
    if zone == "lower":
        place = f"[{side}|a>l]"
        basilar = f"{place} [basilar|al]/{place} [base|al]"
        return f"<{place} [lower|a>l] [lobe|al]/{place} [lower|a>l] [lung|al]/{basilar}/" + (
            f"[{_LOBES[side, zone]}|al]>"
        )
    if (side, zone) == ("left", "middle"):
        return "<[left|a>l] [<mid lung/midlung>|al]/[left|a>l] [mid|a>l] [zone|al]/[lingular|al]>"
    return _place_noun(side, zone)


def _place_noun(side: str, zone: str) -> str:
    place = f"[{side}|a>l]"
    if zone == "lower":
        ways = [f"{place} [lower|a>l] [lobe|al]", f"{place} [lower|a>l] [lung|al]"]
        ways += [f"{place} [lung|al] [base|a>l]", f"{place} [base|al]"]
    elif zone == "upper":
        ways = [f"{place} [upper|a>l] [{word}|al]" for word in ("lobe", "lobe", "lung", "zone")]
    else:
        lobe = "[middle|a>l] [lobe|al]" if side == "right" else "[lingula|al]"
        ways = [f"{place} [mid|a>l] [<lung/lung/zone>|al]"]
        ways.append(f"{place} {lobe}" if side == "right" else lobe)
    short = _LOBES.get((side, zone))
    ways += [f"[{short}|al]"] if short else []
    return f"<{'/'.join(ways)}>"


def _tips(tip: str) -> dict[str, str]:
    return {
        "tip_s": f"<terminates/ends/terminates> {tip}",
        "tip_of": f"<is/lies/projects/is located> {tip}",
        "tip_ing": f"<terminating/ending/with [tip|o>e]/with its [tip|o>e]> {tip}",
    }


def _tube_tip(finding: Finding) -> str:
    step = finding.seed % 7
    if finding.detail == "low":
        gap = f"[{0.5 + 0.2 * step:.1f} cm above|d>c] the [carina|ac@e]"
        return f"<{gap}/{gap}/[low|o>e], just above the [carina|a@e]>"
    if finding.detail == "high":
        gap = f"[{7 + 0.3 * step:.1f} cm above|d>c] the [carina|ac@e]"
        return f"<{gap}/{gap}/[high|o>e], at the [thoracic inlet|a@e]>"
    gap = f"{3 + 0.5 * step:.1f} cm".replace(".0 cm", " cm")
    return (
        f"<[{gap} above|d>c] the [carina|ac@e]/[{gap} above|d>c] the level of the [carina|ac@e]"
        f"/[{gap}|d>c] from the [carina|ac@e]"
        "/in <[standard|o>e]/[satisfactory|o>e]/[appropriate|o>e]> position>"
    )


def _line(finding: Finding) -> str:
    """One catheter keeps its name, so that findings and impression speak of the same line."""
    side, sided = f"[{finding.side}|a>l]", f"[<{finding.side}/{finding.side}-sided>|al]"
    return (
        f"{side} [<internal jugular/IJ>|al] [<central venous catheter/central line/line/catheter>"
        "|ke>l]",
        f"{side} [subclavian|al] [<central venous catheter/central line/line/catheter>|ke>l]",
        f"{sided} [<PICC/PICC line/PICC>|ke>l]",
        f"{sided} [<central venous catheter/central line/central catheter>|ke>l]",
    )[finding.seed % 4]


def _line_tip(finding: Finding) -> str:
    return {
        "svc": "in the <<[mid|a>v]/[lower|a>v]/> [SVC|av@e]/[superior vena cava|a@e]/"
        "[distal|a>v] [SVC|av@e]>",
        "cavoatrial": "<at/near> the [cavoatrial junction|a@e]",
        "atrium": "in the <[right|a>v] [atrium|av@e]/[upper|a>v] [right|a>v] [atrium|av@e]>",
    }[finding.detail]
