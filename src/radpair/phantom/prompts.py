"""Zero-shot prompts per truth label: sentences and small graphs that say present, or absent.

They speak the register of ``radpair.phantom.report`` in general terms, without side or size. A
study is scored by its similarity to the present prompts against the absent ones.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from radpair.phantom.markup import Clause, Scribe, joined
from radpair.phantom.truth import KINDS
from radpair.records import Graph


@dataclass(frozen=True, slots=True)
class Prompts:
    """What to say of one label."""

    present: tuple[str, ...]
    """Sentences that state the finding."""
    absent: tuple[str, ...]
    """Sentences that deny it."""
    present_graphs: tuple[Graph, ...]
    """The graphs of the present sentences, in the same order."""
    absent_graphs: tuple[Graph, ...]
    """The graphs of the absent sentences, in the same order."""


_WORDING: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pleural_effusion": (
        (
            "There is a [pleural|al] [effusion|ke>l]",
            "[Moderate|o>e] [pleural|al] [effusion|ke>l]",
            "[Bilateral|a>l] [pleural|al] [effusions|ke>l]",
            "[Layering|o>e] [pleural|al] [effusion|ke>l] is seen",
        ),
        (
            "No [pleural|al] [effusion|ke>l]",
            "There is no [pleural|al] [effusion|ke>l]",
            "No evidence of [pleural|al] [effusion|ke>l]",
            "No [effusion|ke] is seen",
        ),
    ),
    "pneumothorax": (
        (
            "There is a [pneumothorax|ke]",
            "[Moderate|o>e] [pneumothorax|ke]",
            "[Large|o>e] [pneumothorax|ke] is seen",
            "[Apical|al] [pneumothorax|ke>l] is present",
        ),
        (
            "No [pneumothorax|ke]",
            "There is no [pneumothorax|ke]",
            "No evidence of [pneumothorax|ke]",
            "No [pneumothorax|ke] is identified",
        ),
    ),
    "consolidation": (
        (
            "There is [consolidation|ke] suggestive of [pneumonia|u=e]",
            "[Airspace|aw] [opacity|ke>w>l] in the [lung|al]",
            "[Patchy|o>e] [consolidation|ke>l] in the [lower|a>l] [lobe|al]",
            "[Dense|o>e] [consolidation|ke] is seen",
        ),
        (
            "No [focal|o>e] [consolidation|ke]",
            "There is no [consolidation|ke]",
            "No evidence of [pneumonia|ke]",
            "No [focal|o>e] [airspace|aw] [disease|ke>w] is seen",
        ),
    ),
    "atelectasis": (
        (
            "There is [atelectasis|ke]",
            "[Linear|o>e] [atelectasis|ke>l] at the [lung|al] [base|a>l]",
            "[Bibasilar|al] [atelectasis|ke>l]",
            "[Streaky|p>p] [opacity|pp] compatible with [atelectasis|ke=p]",
        ),
        (
            "No [atelectasis|ke]",
            "There is no [atelectasis|ke]",
            "No evidence of [atelectasis|ke]",
            "No [focal|o>e] [atelectasis|ke] is seen",
        ),
    ),
    "lobar_collapse": (
        (
            "There is [lobar|o>e] [collapse|ke]",
            "[Collapse|ke>l] of the [lower|a>l] [lobe|al]",
            "[Upper|a>l] [lobe|al] [collapse|ke>l] is seen",
            "[Volume loss|pv] consistent with [collapse|ke=v]",
        ),
        (
            "No [lobar|o>e] [collapse|ke]",
            "There is no [lobar|o>e] [collapse|ke]",
            "No evidence of [collapse|ke]",
            "No [collapse|ke] is seen",
        ),
    ),
    "edema": (
        (
            "There is [pulmonary|al] [edema|ke>l]",
            "[Interstitial|aw] [edema|ke>w] is seen",
            "[Moderate|o>e] [interstitial|aw] [pulmonary|al] [edema|ke>l>w]",
            "[Increased|o>e] [interstitial|aw] [markings|ke>w]",
        ),
        (
            "No [pulmonary|al] [edema|ke>l]",
            "There is no [interstitial|aw] [edema|ke>w]",
            "No evidence of [edema|ke]",
            "No [overt|o>e] [pulmonary|al] [edema|ke>l] is seen",
        ),
    ),
    "cardiomegaly": (
        (
            "There is [cardiomegaly|ke]",
            "The [cardiac|al] [silhouette|a>l] is [enlarged|ke>l]",
            "[Heart|al] [size|a>l] is [enlarged|ke>l]",
            "[Moderate|o>e] [cardiomegaly|ke] is seen",
        ),
        (
            "No [cardiomegaly|ke]",
            "The [heart|al] [size|a>l] is [normal|z>l]",
            "The [cardiac|al] [silhouette|a>l] is [normal|z>l] in size",
            "The [cardiomediastinal|al] [silhouette|a>l] is [within normal limits|z>l]",
        ),
    ),
    "nodule": (
        (
            "There is a [nodule|ke>l] in the [lung|al]",
            "[Pulmonary|al] [nodule|ke>l] is seen",
            "[Small|o>e] [nodule|ke>l] in the [upper|a>l] [lobe|al]",
            "[Nodular opacity|ke>l] projects over the [lung|al]",
        ),
        (
            "No [pulmonary|al] [nodule|ke>l]",
            "There is no [suspicious|o>e] [nodule|ke]",
            "No evidence of [pulmonary|al] [nodules|ke>l]",
            "No [discrete|o>e] [nodule|ke] is seen",
        ),
    ),
    "mass": (
        (
            "There is a [mass|ke>l] in the [lung|al]",
            "[Large|o>e] [mass|ke] is seen",
            "[Mass|ke] concerning for [malignancy|u=e]",
            "[Mass-like|o>e] [opacity|ke>l] in the [upper|a>l] [lobe|al]",
        ),
        (
            "No [mass|ke]",
            "There is no [pulmonary|al] [mass|ke>l]",
            "No evidence of [mass|ke]",
            "No [focal|o>e] [mass|ke] is seen",
        ),
    ),
    "granuloma": (
        (
            "There is a [calcified|o>e] [granuloma|ke]",
            "[Calcified|o>e] [granuloma|ke>l] in the [lung|al]",
            "[Small|o>e] [calcified|o>e] [granuloma|ke] is seen",
        ),
        (
            "No [calcified|o>e] [granuloma|ke]",
            "There is no [granuloma|ke]",
            "No evidence of [calcified|o>e] [granulomas|ke]",
        ),
    ),
    "hyperinflation": (
        (
            "The [lungs|al] are [hyperinflated|ke>l]",
            "[Hyperinflation|ke>l] of the [lungs|al]",
            "[Hyperinflation|ke] suggestive of [emphysema|u=e]",
            "The [lungs|al] are [hyperexpanded|ke>l] with [flattening|p>d] of the [diaphragm|ad]",
        ),
        (
            "No [hyperinflation|ke]",
            "There is no [pulmonary|al] [hyperinflation|ke>l]",
            "The [lung|al] [volumes|a>l] are [normal|z>l]",
            "The [lungs|al] are [normal|z>l] in volume",
        ),
    ),
    "elevated_hemidiaphragm": (
        (
            "There is [elevation|ke>l] of the [hemidiaphragm|al]",
            "The [hemidiaphragm|al] is [elevated|ke>l]",
            "[Moderate|o>e] [elevation|ke>l] of the [hemidiaphragm|al]",
        ),
        (
            "No [hemidiaphragm|al] [elevation|ke>l]",
            "The [hemidiaphragms|al] are [normal|z>l] in position",
            "The [diaphragm|al] is [normal|z>l] in contour",
        ),
    ),
    "rib_fracture": (
        (
            "There is a [rib|al] [fracture|ke>l]",
            "[Displaced|o>e] [rib|al] [fracture|ke>l]",
            "[Fracture|ke>l] of the [rib|al] is seen",
        ),
        (
            "No [rib|al] [fracture|ke>l]",
            "There is no [displaced|o>e] [rib|al] [fracture|ke>l]",
            "No [acute|o>e] [fracture|ke] is seen",
        ),
    ),
    "endotracheal_tube": (
        (
            "There is an [endotracheal tube|ke]",
            "The [endotracheal tube|ke] terminates above the [carina|a@e]",
            "[ETT|ke] in [standard|o>e] position",
        ),
        (
            "No [endotracheal tube|ke]",
            "There is no [endotracheal tube|ke]",
            "No [endotracheal tube|ke] is seen",
        ),
    ),
    "central_line": (
        (
            "There is a [central venous catheter|ke]",
            "[Central line|ke] terminates in the [SVC|a@e]",
            "The [internal jugular|al] [central venous catheter|ke>l] terminates in the "
            "[superior vena cava|a@e]",
            "[PICC|ke] with [tip|o>e] at the [cavoatrial junction|a@e]",
        ),
        (
            "No [central venous catheter|ke]",
            "There is no [central line|ke]",
            "No [central venous catheter|ke] is seen",
        ),
    ),
    "pacemaker": (
        (
            "There is a [pacemaker|ke]",
            "[Chest wall|al] [pacemaker|ke>l] is present",
            "[Pacing device|ke] with [leads|p>e] in expected position",
        ),
        (
            "No [pacemaker|ke]",
            "There is no [pacemaker|ke]",
            "No [pacing device|ke] is seen",
        ),
    ),
}


def _written(text: str, status: int, label: str) -> tuple[str, Graph]:
    scribe = Scribe(random.Random(0))
    scribe.sentence(Clause(text, {}, status, label))
    return joined(scribe.tokens), scribe.graph()


def _prompts(kind: str) -> Prompts:
    present, absent = _WORDING[kind]
    label = KINDS[kind].label
    said = [_written(text, 1, label) for text in present]
    denied = [_written(text, 0, label) for text in absent]
    return Prompts(
        present=tuple(text for text, _ in said),
        absent=tuple(text for text, _ in denied),
        present_graphs=tuple(graph for _, graph in said),
        absent_graphs=tuple(graph for _, graph in denied),
    )


PROMPTS: Mapping[str, Prompts] = MappingProxyType(
    {kind.label: _prompts(key) for key, kind in KINDS.items()}
)
"""The prompts of every label in ``radpair.phantom.truth.LABELS``."""
