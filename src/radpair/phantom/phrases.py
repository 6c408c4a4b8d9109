"""Sentences around a finding: frames, changes, denials, side remarks."""

from __future__ import annotations

from collections.abc import Mapping

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
    "[Calcifications|po>l] of the [aortic|al] [<arch/knob>|a>l]",
    "[Atherosclerotic|p>o] [calcification|po>l] of the [aortic|al] [<arch/knob>|a>l] is <noted/"
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
    "[Lung|al] [volumes|a>l] are [low|p>l]",
    "[Low|p>l] [lung|al] [volumes|a>l]",
    "[Low|p>l] [lung|al] [volumes|a>l] with [crowding|po>b] of the "
    "[bronchovascular|a>b] [structures|ab]",
    "Shallow inspiration limits evaluation of the [lung|al] [bases|a>l]",
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
