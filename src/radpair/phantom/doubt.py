"""How findings are hedged, denied, and said to have gone."""

from __future__ import annotations

from collections.abc import Mapping

from radpair.phantom.wording import Phrase


def _one(text: str, high: float = 1.01) -> Phrase:
    return Phrase(text, "1", high=high)


def _any(text: str, high: float = 1.01) -> Phrase:
    return Phrase(text, "*", high=high)


HEDGES: Mapping[str, tuple[Phrase, ...]] = {
    "pleural_effusion": (
        _one(
            "[Blunting|pb>c] of the {side_c} [costophrenic|ac] [angle|a>c] may <reflect/represent/"
            "be due to> {a} <[small|o>e]/[trace|o>e]/> [pleural|al] [effusion|ke>l=b] or "
            "[<scarring/pleural thickening>|u=b]",
            high=0.5,
        ),
        _one(
            "[Haziness|pb>c] at the {side_c} [<lung base/base>|ac] <may represent/could reflect/is"
            " concerning for> [layering|o>e] [effusion|ke=b]"
        ),
    ),
    "pneumothorax": (
        _one(
            "[Lucency|pb>c] at the {side_c} [apex|ac] <may represent/could represent/raises the"
            " possibility of> {a} [<small/tiny>|o>e] [pneumothorax|ke=b]",
            high=0.5,
        ),
    ),
    "consolidation": (
        _one(
            "{a} <[subtle|p>b]/[hazy|p>b]/[vague|p>b]/[ill-defined|p>b]> [density|pb>l] {in_loc} "
            "<may represent/could represent/may reflect> [<early/developing/>|o^e] "
            "[<consolidation/pneumonia/infiltrate>|ke=b]"
        ),
        _one(
            "[Increased|p>b] [density|pb>l] {in_loc} could be due to [<consolidation/pneumonia>|"
            "ke=b] in the appropriate clinical setting"
        ),
    ),
    "atelectasis": (
        _any(
            "[<Streaky/Linear/Patchy>|p>b] [density|pb>l] {in_loc} <likely reflects/likely "
            "represents/probably represents/may represent/most likely reflects> [atelectasis|ke=b]"
        ),
        _any(
            "[<Streaky/Linear/Patchy>|p>b] [opacity|pb>l] {in_loc}, <likely/probably/favored to "
            "represent> [atelectasis|ke=b]"
        ),
    ),
    "lobar_collapse": (
        _any(
            "[Volume loss|pb>l] in the {lobe} <may represent/raises the question of/is suspicious"
            " for> <[partial|o>e]/> [lobar|o>e] [collapse|ke=b]"
        ),
    ),
    "edema": (
        _any(
            "[Prominent|p>b] [interstitial|aw] [markings|pb>w] <may reflect/may represent/could "
            "represent> <[mild|o>e]/[early|o>e]/> [edema|ke=b]",
            high=0.5,
        ),
        _any(
            "[Pulmonary|a>l] [vascular|al] [congestion|pb>l] with <possible/probable/suspected> "
            "<[mild|o>e]/[early|o>e]/> [interstitial|aw] [edema|ke>w=b]",
            high=0.5,
        ),
    ),
    "cardiomegaly": (
        _any(
            "{def} [heart|al] [size|a>l] is at the upper limits of normal or mildly [enlarged|ke>l]"
        ),
        _any(
            "[Prominence|pb>l] of the [cardiac|al] [silhouette|a>l] may reflect <[mild|o>e]/> "
            "[cardiomegaly|ke=b] or the technique",
            high=0.5,
        ),
    ),
    "nodule": (
        _one(
            "{a} <[small|p>b]/[faint|p>b]/[subtle|p>b]/[vague|p>b]> [density|pb>l] <over/"
            "projecting over> the {place} may represent {a} [nodule|ke=b]"
        ),
        _one(
            "[Nodular|p>b] [density|pb>l] over the {place} could be {a} [nodule|ke=b] versus "
            "[<nipple shadow/overlapping vessels/summation>|u=b]"
        ),
    ),
    "mass": (
        _one(
            "{a} [rounded|p>b] [density|pb>l] {in_loc} <may represent/is suspicious for/raises "
            "concern for> {a} [mass|ke=b]"
        ),
    ),
    "granuloma": (
        _one(
            "{a} [punctate|p>b] [density|pb>l] {in_loc} <likely represents/probably represents/"
            "may represent> {a} [<calcified/>|o^e] [granuloma|ke=b]"
        ),
    ),
    "hyperinflation": (
        _any("{def} [lungs|al] appear possibly [hyperinflated|ke>l]"),
        _any("[Lucent|pb>l] [lungs|al] <may reflect/raise the question of> [hyperinflation|ke=b]"),
    ),
    "elevated_hemidiaphragm": (
        _one("{def} {side} [hemidiaphragm|al] is possibly [elevated|ke>l]"),
        _one("[Apparent|u>e] [elevation|ke>l] of the {side} [hemidiaphragm|al] may be positional"),
    ),
    "rib_fracture": (
        _one(
            "[Irregularity|pb>l] of the {side} [{rib}|a>l] [rib|al] may represent {a} "
            "[<nondisplaced/subtle/>|o^e] [fracture|ke=b]"
        ),
        _one(
            "[Step-off|pb>l] along the {side} [{rib}|a>l] [rib|al] is <suspicious/worrisome> for"
            " {a} [fracture|ke=b]"
        ),
    ),
    "endotracheal_tube": (
        _any(
            "{a} faint [tubular density|pb>l] over the [trachea|al] may represent {a} [endotracheal"
            " tube|ke=b]"
        ),
        _any("[Endotracheal tube|ke] is possibly present but its tip is not well seen"),
    ),
    "central_line": (
        _one(
            "{a} [linear|p>b] [density|pb>l] over the {side} [<upper chest/mediastinum>|al] may "
            "represent {a} [<central venous catheter/central line>|ke=b]"
        ),
    ),
    "pacemaker": (
        _one(
            "{a} [metallic|p>b] [density|pb>l] over the {side} [chest|al] may represent {a} "
            "[<pacemaker/pacing device>|ke=b]"
        ),
    ),
}
"""Sentences that leave a finding open. ``b`` is what is seen and may be the finding."""

NEGATIVES: Mapping[str, tuple[str, ...]] = {
    "pleural_effusion": (
        "[pleural|al] [<{effusion}/fluid>|ke>l]",
        "[pleural|al] [effusion|ke>l]",
        "[{effusion}|ke]",
    ),
    "pneumothorax": (
        "[pneumothorax|ke]",
        "[pneumothorax|ke]",
        "[{pneumothorax}|ke]",
    ),
    "consolidation": (
        "[focal|o>e] [consolidation|ke]",
        "[focal|o>e] [consolidation|ke]",
        "[consolidation|ke]",
        "[<lobar/confluent>|o>e] [consolidation|ke]",
        "[focal|o>e] [airspace|aw] [<disease/consolidation/opacity>|ke>w]",
        "[pneumonia|ke]",
        "[<focal/>|o^e] [{infiltrate}|ke]",
        "[airspace|aw] [consolidation|ke>w]",
    ),
    "edema": (
        "[pulmonary|al] [edema|ke>l]",
        "[<overt/frank/>|o^e] [pulmonary|al] [edema|ke>l]",
        "[interstitial|aw] [edema|ke>w]",
        "[edema|ke]",
    ),
    "atelectasis": ("[atelectasis|ke]", "[<significant/focal>|o>e] [atelectasis|ke]"),
    "lobar_collapse": ("[lobar|o>e] [collapse|ke]", "[collapse|ke]"),
    "cardiomegaly": ("[cardiomegaly|ke]", "[cardiac|al] [enlargement|ke>l]"),
    "nodule": (
        "[<suspicious/discrete/>|o^e] [<pulmonary/lung>|al] [{nodule}|ke>l]",
        "[<suspicious/discrete>|o>e] [nodule|ke]",
    ),
    "mass": ("[mass|ke]", "[<pulmonary/lung>|al] [mass|ke>l]", "[<dominant/focal>|o>e] [mass|ke]"),
    "granuloma": ("[calcified|o>e] [{granuloma}|ke]",),
    "hyperinflation": ("[hyperinflation|ke]", "[pulmonary|al] [hyperinflation|ke>l]"),
    "elevated_hemidiaphragm": ("[hemidiaphragm|al] [elevation|ke>l]",),
    "rib_fracture": (
        "[<displaced/acute/>|o^e] [rib|al] [{fracture}|ke>l]",
        "[<acute/displaced>|o>e] [fracture|ke]",
    ),
    "endotracheal_tube": ("[endotracheal tube|ke]",),
    "central_line": ("[<central venous catheter/central line>|ke]",),
    "pacemaker": ("[<pacemaker/pacing device>|ke]",),
}
"""Noun phrases to be denied, without article."""

DENIED_BESIDE: Mapping[str, frozenset[str]] = {
    "consolidation": frozenset({"lobar_collapse", "mass"}),
    "atelectasis": frozenset({"lobar_collapse"}),
    "lobar_collapse": frozenset({"atelectasis"}),
    "nodule": frozenset({"mass", "granuloma"}),
    "mass": frozenset({"nodule", "lobar_collapse"}),
    "granuloma": frozenset({"nodule"}),
}
"""Further findings beside which a kind is not denied, for the two are easily read as one."""

DENIAL_RATE: Mapping[str, float] = {
    "pneumothorax": 0.72,
    "pleural_effusion": 0.7,
    "consolidation": 0.55,
    "edema": 0.25,
    "cardiomegaly": 0.08,
    "nodule": 0.07,
    "mass": 0.05,
    "rib_fracture": 0.08,
    "atelectasis": 0.04,
    "lobar_collapse": 0.02,
    "granuloma": 0.008,
    "hyperinflation": 0.015,
    "elevated_hemidiaphragm": 0.01,
    "endotracheal_tube": 0.012,
    "central_line": 0.012,
    "pacemaker": 0.012,
}
"""How often a reader troubles to deny a finding that is not there."""

PLURALS: Mapping[str, str] = {
    "effusion": "effusions",
    "pneumothorax": "pneumothoraces",
    "infiltrate": "infiltrates",
    "nodule": "nodules",
    "granuloma": "granulomas",
    "fracture": "fractures",
}
"""What may stand in the plural when it is denied without a verb."""

GONE: Mapping[str, tuple[str, ...]] = {
    "image": (
        "Previously <seen/noted/described> {np} {has} [resolved|o>e]",
        "{def} previously <seen/noted/described> {np} {has} [resolved|o>e]",
        "{def} {np} seen <previously/on the prior study> {is} no longer <seen/visualized/present>",
        "[Resolved|o>e] {np}",
        "Interval [resolution|o>e] of {np}",
        "{def} prior {np} {has} [cleared|o>e]",
    ),
    "device": (
        "{def} {np} has been [removed|o>e]",
        "Interval [removal|o>e] of {np}",
        "{def} previously seen {np} is no longer present",
    ),
}
