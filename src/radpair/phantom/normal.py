"""Statements that all is well, and beside which findings a reader does not make them."""

from __future__ import annotations

from dataclasses import dataclass

LUNG_KINDS = frozenset(
    ("consolidation", "atelectasis", "lobar_collapse", "edema", "nodule", "mass", "granuloma")
)
ACUTE_KINDS = frozenset(
    (
        "pleural_effusion",
        "pneumothorax",
        "consolidation",
        "atelectasis",
        "lobar_collapse",
        "edema",
        "nodule",
        "mass",
        "rib_fracture",
    )
)


@dataclass(frozen=True, slots=True)
class Normal:
    """One thing to say of one room of the chest, in several wordings."""

    room: str
    """``lungs``, ``heart``, ``bones``, ``pleura``."""
    beside: frozenset[str]
    """Kinds that must not be there for it to be said."""
    rate: float
    ways: tuple[str, ...]
    states: str = ""
    """The kind that it states as absent, if it names one."""


NORMALS: tuple[Normal, ...] = (
    Normal(
        "lungs",
        LUNG_KINDS,
        0.85,
        (
            "{def} [lungs|al] are [clear|p>l]",
            "{def} [lungs|al] are [clear|p>l] [bilaterally|a>l]",
            "{def} [lungs|al] are <grossly/essentially/> [clear|p>l]",
            "{def} [lung|al] [fields|a>l] are [clear|p>l]",
            "[Clear|p>l] [lungs|al]",
            "[Both|a>l] [lungs|al] are [clear|p>l]",
        ),
    ),
    Normal(
        "lungs",
        frozenset({"hyperinflation", "lobar_collapse"}),
        0.1,
        (
            "{def} [lungs|al] are <well/normally> [<expanded/aerated>|p>l]",
            "{def} [lung|al] [volumes|a>l] are [normal|z>l]",
            "{def} [lungs|al] are [normal|z>l] in volume",
        ),
        states="hyperinflation",
    ),
    Normal(
        "heart",
        frozenset({"cardiomegaly"}),
        0.6,
        (
            "{def} [heart|al] [size|a>l] is [within normal limits|z>l]",
            "{def} [heart|al] [size|a>l] is [normal|z>l]",
            "{def} <[heart|al]/[cardiac|al] [silhouette|a>l]> is [normal|z>l] in size",
            "{def} [cardiac|al] [silhouette|a>l] is [<unremarkable/normal>|z>l]",
            "{def} [cardiomediastinal|al] [silhouette|a>l] is [within normal limits|z>l]",
            "{def} [cardiomediastinal|al] [silhouette|a>l] is [<normal/unremarkable>|z>l]",
            "{def} [heart|al] is not [enlarged|k>l]",
            "[Normal|z>l] [heart|al] [size|a>l]",
        ),
        states="cardiomegaly",
    ),
    Normal(
        "heart",
        frozenset({"mass", "lobar_collapse"}),
        0.32,
        (
            "{def} [mediastinal|al] [contours|a>l] are [<normal/unremarkable>|p>l]",
            "{def} [mediastinal|al] and [hilar|ah] [contours|a>l>h] are [normal|p>l]",
            "{def} [mediastinal|al] [contours|a>l] are [within normal limits|p>l]",
            "{def} [mediastinum|al] is [<unremarkable/normal>|p>l]",
            "{def} [hila|al] are [<unremarkable/normal>|p>l]",
            "{def} [trachea|al] is [midline|p>l]",
        ),
    ),
    Normal(
        "bones",
        frozenset({"rib_fracture"}),
        0.25,
        (
            "{def} [osseous|al] [structures|a>l] are [<intact/unremarkable>|p>l]",
            "No [acute|n>o] [<osseous/bony>|al] [abnormality|no>l] <is seen/>",
            "{def} [bones|al] are [intact|p>l]",
            "[Bony|a>l] [thorax|al] is [<intact/unremarkable>|p>l]",
            "[Visualized|p>l] [osseous|al] [structures|a>l] are [unremarkable|p>l]",
        ),
    ),
    Normal(
        "pleura",
        frozenset({"elevated_hemidiaphragm", "pleural_effusion", "hyperinflation"}),
        0.03,
        (
            "{def} [hemidiaphragms|al] are [normal|z>l] in position",
            "{def} [diaphragm|al] is [normal|z>l] in <position/contour>",
        ),
        states="elevated_hemidiaphragm",
    ),
    Normal(
        "pleura",
        frozenset({"pleural_effusion", "pneumothorax"}),
        0.07,
        (
            "{def} [costophrenic|al] [angles|a>l] are [<sharp/clear>|p>l]",
            "{def} [pleural|al] [surfaces|a>l] are [<normal/unremarkable>|p>l]",
        ),
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
RECURRING_FINDINGS = (
    "The [heart|al] [size|a>l] and [mediastinal|am] [contours|a>m] are "
    "[within normal limits|z>l>m]",
    "The [lungs|al] are [clear|p>l]",
    "There is no {n1}, {n2}, or {n3}",
)
"""The findings of the normal report that recurs word for word."""
RECURRING_DENIALS = (
    ("consolidation", "[focal|o>e] [consolidation|ke]"),
    ("pleural_effusion", "[pleural|al] [effusion|ke>l]"),
    ("pneumothorax", "[pneumothorax|ke]"),
)
RECURRING_IMPRESSION = "No [acute|n>o] [cardiopulmonary|al] [process|no>l]"
