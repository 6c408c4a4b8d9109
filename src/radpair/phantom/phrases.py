"""Sentences around a finding: frames, changes, denials, normal statements, side remarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PLAIN: tuple[tuple[str, str], ...] = (
    ("a", "There {is} {np}"),
    ("a", "There {is} {np}"),
    ("a", "{np} {is} <seen/noted/present/identified/demonstrated/visualized>"),
    ("a", "{np} {is} <seen/noted/present>"),
    ("a", "Note is made of {np}"),
    ("a", "<The study shows/The film shows/Radiograph demonstrates/Images show> {np}"),
    ("", "{np}"),
    ("", "{np}"),
)
"""Frames for a finding that is there: article, text."""

TERSE: tuple[tuple[str, str], ...] = (("", "{np}"), ("", "{np}"), ("", "{np} {is} seen"))

OPEN: tuple[tuple[str, str], ...] = (
    ("a", "There may be {np}"),
    ("a", "There is possibly {np}"),
    ("a", "{np} <cannot be excluded/is not excluded/is possible/is suspected/may be present>"),
    (
        "a",
        "{np} <cannot be entirely excluded/would be difficult to exclude/is difficult to exclude>",
    ),
    ("", "<Possible/Probable/Questionable/Suspected> {np}"),
    ("a", "<Question of/Suggestion of/Cannot exclude/Findings may represent> {np}"),
    ("a", "Findings <suggest/raise the possibility of/are suspicious for> {np}"),
)
OPEN_MANY: tuple[tuple[str, str], ...] = (
    ("a", "There may be {np}"),
    ("a", "{np} <cannot be excluded/are not excluded/are possible/are suspected/may be present>"),
    ("", "<Possible/Probable/Questionable/Suspected> {np}"),
    ("a", "<Question of/Suggestion of/Cannot exclude/Findings may represent> {np}"),
)

CHANGED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "new": (
        ("a", "Interval development of {np}"),
        ("a", "{np} {has} developed <since the prior study/in the interval/>"),
        ("a", "Compared to the prior study, there {is} now {np}"),
    ),
    "worse": (
        ("the", "{np} {has} [<increased/worsened/progressed>|o>e] {now}"),
        ("the", "{np} {is} [<larger/more conspicuous/increased/worse>|o>e] than before {now}"),
        ("the", "Interval [<increase/worsening>|o>e] in {np} {now}"),
        ("", "[<Worsening/Increased/Progressive>|o>e] {np}"),
    ),
    "better": (
        ("the", "{np} {has} [<decreased/improved/partially cleared>|o>e] {now}"),
        ("the", "{np} {is} [<smaller/less conspicuous/decreased/improved>|o>e] {now}"),
        ("the", "Interval [<decrease/improvement/reduction>|o>e] in {np} {now}"),
        ("", "[<Improving/Decreased/Improved>|o>e] {np}"),
    ),
    "same": (
        ("the", "{np} {is} [<unchanged/stable/not significantly changed>|o>e]"),
        ("the", "{np} {is} [unchanged|o>e] <compared to the prior study/since the prior exam>"),
        ("a", "Again <seen/noted/demonstrated> {is} {np}"),
        ("", "[<Unchanged/Stable/Persistent>|o>e] {np}"),
        ("a", "There {is} {np}, [<unchanged/stable/similar to prior>|o>e]"),
    ),
}
"""Frames for a finding that the study before showed, or did not."""

CHANGE_WORDS: Mapping[str, str] = {
    "new": "[new|o>e]",
    "worse": "[<increased/worsening/increasing>|o>e]",
    "better": "[<decreased/improving/improved>|o>e]",
    "same": "[<unchanged/stable/persistent>|o>e]",
    "kept": "[<unchanged/stable>|o>e]",
}
"""Adjectives of change; ``kept`` for what can only stay, such as a tube."""
PLACED = (
    ("a", "Interval placement of {np}"),
    ("a", "{np} {has} been placed <in the interval/since the prior study/>"),
)

TOGETHER = (
    "There {is} {first} and {second}",
    "{first} and {second} {are} <seen/noted/present>",
    "There {is} {first} <as well as/along with/with> {second}",
    "{first} <with/and> {second}",
    "{first} <and/with associated/with> {second}",
)
"""Two findings in one sentence."""

DENIALS_ONE = (
    "No {n1}",
    "No {n1}",
    "There is no {n1}",
    "No evidence of {n1}",
    "There is no {n1}",
    "No {n1} is <seen/identified/present/appreciated/evident>",
    "No evidence of {n1}",
    "There is no evidence of {n1}",
    "Negative for {n1}",
    "No definite evidence of {n1}",
    "{n1} is absent",
    "The study is without evidence of {n1}",
)
DENIALS_TWO = (
    "No {n1} or {n2}",
    "There is no {n1} or {n2}",
    "No {n1} or {n2} is <seen/identified/appreciated>",
    "No evidence of {n1} or {n2}",
    "Negative for {n1} or {n2}",
    "No {n1} or {n2}",
    "There is no {n1} or {n2}",
    "There is no {n1}, and no {n2}",
    "Neither {n1} nor {n2} is <seen/identified>",
    "The study is without {n1} or {n2}",
)
DENIALS_THREE = (
    "No {n1}, {n2}, or {n3}",
    "No {n1}, {n2} or {n3}",
    "There is no {n1}, {n2}, or {n3}",
    "No {n1}, {n2}, or {n3} is <seen/identified/appreciated>",
    "No evidence of {n1}, {n2} or {n3}",
    "Negative for {n1}, {n2}, or {n3}",
    "There is no evidence of {n1}, {n2}, or {n3}",
)

LUNG_KINDS = frozenset(
    ["consolidation", "atelectasis", "lobar_collapse", "edema", "nodule", "mass", "granuloma"]
)
ACUTE_KINDS = frozenset(
    [
        "pleural_effusion",
        "pneumothorax",
        "consolidation",
        "atelectasis",
        "lobar_collapse",
        "edema",
        "nodule",
        "mass",
        "rib_fracture",
    ]
)


@dataclass(frozen=True, slots=True)
class Normal:
    """A statement that all is well, and what must not be there for it to be said."""

    text: str
    room: str
    """``lungs``, ``heart``, ``bones``, ``pleura``."""
    beside: frozenset[str]
    states: str = ""
    """The kind that it states as absent, if it names one."""
    rate: float = 0.5


_BONES = frozenset({"rib_fracture"})
_HEART = frozenset({"cardiomegaly"})
NORMALS: tuple[Normal, ...] = (
    Normal(
        "<{def} [lungs|al] are [clear|p>l]/{def} [lungs|al] are [clear|p>l] bilaterally/{def} "
        "[lungs|al] are <grossly/essentially/> [clear|p>l]/{def} [lung fields|al] are [clear|p>l]"
        "/[Clear|p>l] [lungs|al]/[Both|a>l] [lungs|al] are [clear|p>l]>",
        "lungs",
        LUNG_KINDS,
        rate=0.85,
    ),
    Normal(
        "<{def} [lungs|al] are <well/normally> [<expanded/aerated>|p>l]/{def} [lung volumes|al] are"
        " [normal|z>l]/{def} [lungs|al] are [normal|z>l] in volume>",
        "lungs",
        frozenset({"hyperinflation"}),
        states="hyperinflation",
        rate=0.1,
    ),
    Normal(
        "<{def} [heart|a>l] [size|al] is <within [normal|z>l] limits/[normal|z>l]>/{def} [<heart/"
        "cardiac silhouette>|al] is [normal|z>l] in size/{def} [cardiac silhouette|al] is "
        "[<unremarkable/normal>|z>l]/{def} [cardiomediastinal silhouette|al] is <within [normal|"
        "z>l] limits/[<normal/unremarkable>|z>l]>/{def} [heart|al] is not [enlarged|k>l]/"
        "[Normal|z>l] [heart|a>l] [size|al]>",
        "heart",
        _HEART,
        states="cardiomegaly",
        rate=0.6,
    ),
    Normal(
        "<{def} [mediastinal|a>l] <and [hilar|a>l]/> [contours|al] are [<normal/unremarkable/"
        "within normal limits>|p>l]/{def} [mediastinum|al] is [<unremarkable/normal>|p>l]/"
        "{def} [hila|al] are [<unremarkable/normal>|p>l]/{def} [trachea|al] is [midline|p>l]/"
        "[Mediastinal|a>l] [contours|al] are within [normal|p>l] limits>",
        "heart",
        frozenset({"mass", "lobar_collapse"}),
        rate=0.32,
    ),
    Normal(
        "<{def} [osseous structures|al] are [<intact/unremarkable>|p>l]/No [acute|n>o] [<osseous/"
        "bony>|al] [abnormality|no>l] <is seen/>/{def} [bones|al] are [intact|p>l]"
        "/[Bony|a>l] [thorax|al] is [<intact/unremarkable>|p>l]/[Visualized|p>l] [osseous "
        "structures|al] are [unremarkable|p>l]>",
        "bones",
        _BONES,
        rate=0.25,
    ),
    Normal(
        "<{def} [hemidiaphragms|al] are [normal|z>l] in position/{def} [diaphragm|al] is [normal|"
        "z>l] in <position/contour>>",
        "pleura",
        frozenset({"elevated_hemidiaphragm", "pleural_effusion", "hyperinflation"}),
        states="elevated_hemidiaphragm",
        rate=0.03,
    ),
    Normal(
        "<{def} [costophrenic angles|al] are [<sharp/clear>|p>l]/{def} [pleural|a>l] [surfaces|al]"
        " are [<normal/unremarkable>|p>l]>",
        "pleura",
        frozenset({"pleural_effusion", "pneumothorax"}),
        rate=0.07,
    ),
)
REMAINDER = (
    "{def} remainder of the [lungs|al] is [clear|p>l]",
    "{def} [lungs|al] are otherwise [clear|p>l]",
    "Otherwise [clear|p>l] [lungs|al]",
)

ALL_WELL = (
    "No [acute|n>o] [cardiopulmonary|al] [<process/abnormality/disease/findings/process>|no>l]",
    "No [acute|n>o] [<intrathoracic/cardiopulmonary>|al] [<process/abnormality>|no>l] <is seen/>",
    "No evidence of [acute|n>o] [cardiopulmonary|al] [<disease/process>|no>l]",
    "No [acute|n>o] [<abnormality/findings>|no]",
    "No radiographic evidence of [acute|n>o] [cardiopulmonary|al] [disease|no>l]",
)
NORMAL_STUDY = (
    "[Normal|po] [<chest/chest radiograph>|a@o]",
    "[Unremarkable|po] [chest|a@o] radiograph",
    "[Normal|po] radiographic appearance of the [chest|a@o]",
)
ALL_WELL_FINDINGS = (
    "{def} [heart|a>l] [size|al] and [mediastinal|a>m] [contours|am] are within [normal|z>l] limits"
)
"""First sentence of the template that recurs in normal studies."""

BONE_REMARKS = (
    "[<Mild/Moderate/Multilevel>|p>o] [degenerative|p>o] [changes|po>l] <are seen in/of/involve> "
    "the [thoracic|a>l] [spine|al]",
    "[Degenerative|p>o] [changes|po>l] of the [<right/left>|a>l] [<shoulder/acromioclavicular "
    "joint>|al] <are noted/>",
    "[<Mild/Slight>|p>o] [<dextroscoliosis/scoliosis>|po>l] of the [thoracic|a>l] [spine|al]",
    "[<Diffuse/Mild>|p>o] [osteopenia|po] is <noted/suspected>",
    "[Osteophytes|po>l] are <seen/present> along the [thoracic|a>l] [spine|al]",
)
AORTA_REMARKS = (
    "{def} [aorta|al] is [tortuous|p>l]",
    "[Calcifications|po>l] of the [aortic|a>l] [<arch/knob>|al]",
    "[Atherosclerotic|p>o] [calcification|po>l] of the [aortic|a>l] [<arch/knob>|al] is <noted/"
    "seen>",
    "{def} [aorta|al] is [<mildly/slightly>|p>o] [<unfolded/ectatic>|po>l]",
)
SURGERY_REMARKS = (
    "[<Surgical/Cholecystectomy>|p>o] [clips|po>l] are <seen/noted> in the [right|a>l] [upper|a>l]"
    " [quadrant|al]",
    "[Surgical|p>o] [clips|po>l] project over the [<left/right>|a>l] [axilla|al]",
    "Changes of prior [upper|a>l] [abdominal|al] [surgery|p>l] are noted",
)
ABDOMEN_REMARKS = (
    "No [free|n>o] [air|no>l] <is seen/> <beneath/below/under> the [<diaphragm/hemidiaphragms>|al]",
    "{def} visualized [upper|a>l] [abdomen|al] is [unremarkable|p>l]",
)
FOLLOW_ACUTE = ("Recommend follow-up radiographs to document resolution",)
FOLLOW_UP = (
    "Clinical correlation is recommended",
    "Attention on follow-up is advised",
    "Findings discussed with the referring team by telephone",
    "Findings were communicated to the clinical team at the time of review",
)
FOLLOW_NODULE = (
    "Recommend chest CT for further evaluation",
    "Further evaluation with CT is recommended",
    "Comparison with prior imaging or nonemergent chest CT is suggested",
)
LOW_VOLUMES = (
    "[Lung volumes|al] are [low|p>l]",
    "[Low|p>l] [lung volumes|al]",
    "[Low|p>l] [lung volumes|al] with [crowding|po>b] of the [bronchovascular|a>b] [structures|ab]",
    "Shallow inspiration limits evaluation of the [lung|a>l] [bases|al]",
)
ROTATED = (
    "The patient is rotated",
    "Patient rotation limits evaluation of the [mediastinum|a]",
    "Evaluation is somewhat limited by rotation",
)
DDX: Mapping[str, tuple[str, ...]] = {
    "consolidation": (
        "<suggestive of/concerning for/worrisome for/compatible with/suspicious for> "
        "[<pneumonia/infection/pneumonia>|u=e]",
        "which may represent [pneumonia|u=e] or [aspiration|u=e]",
        "in keeping with [<pneumonia/aspiration>|u=e]",
    ),
    "nodule": ("<suspicious/concerning> for [<malignancy/neoplasm>|u=e]",),
    "mass": (
        "<suspicious/highly suspicious/concerning> for [<malignancy/neoplasm/primary lung cancer>"
        "|u=e]",
    ),
    "granuloma": ("<compatible/consistent> with prior [granulomatous|p>g] [disease|pg=e]",),
    "hyperinflation": (
        "suggestive of [<COPD/emphysema>|u=e]",
        "<compatible/consistent> with [<COPD/emphysema/obstructive lung disease>|p=e]",
    ),
    "edema": (
        "<suggestive of/compatible with> [<volume overload/congestive heart failure/CHF>|u=e]",
        "likely due to [<volume overload/heart failure>|u=e]",
    ),
}
"""What a reader takes a finding for."""
