"""The graph schema, fixed and written down once: RadGraph's entity labels and relations.

Ids are positions in these tuples and never depend on the data at hand. New labels may only be
added at the end.

Jain et al., "RadGraph: Extracting clinical entities and relations from radiology reports", 2021;
the measurement labels and the rare states of anatomy are RadGraph-XL's (Delbrouck et al., 2024).
"""

from __future__ import annotations

ANATOMY = "Anatomy::definitely present"
PRESENT = "Observation::definitely present"
UNCERTAIN = "Observation::uncertain"
ABSENT = "Observation::definitely absent"
MEASURED_ANATOMY = "Anatomy::measurement::definitely present"
MEASURED_OBSERVATION = "Observation::measurement::definitely present"
UNCERTAIN_ANATOMY = "Anatomy::uncertain"
ABSENT_ANATOMY = "Anatomy::definitely absent"
ABSENT_MEASURE = "Observation::measurement::definitely absent"
UNCERTAIN_MEASURE = "Observation::measurement::uncertain"
UNCERTAIN_MEASURED_ANATOMY = "Anatomy::measurement::uncertain"

ENTITY_LABELS = (
    ANATOMY,
    PRESENT,
    UNCERTAIN,
    ABSENT,
    MEASURED_ANATOMY,
    MEASURED_OBSERVATION,
    UNCERTAIN_ANATOMY,
    ABSENT_ANATOMY,
    ABSENT_MEASURE,
    UNCERTAIN_MEASURE,
    UNCERTAIN_MEASURED_ANATOMY,
)
"""The last five occur in RadGraph-XL alone, where they are rare; the rules do not write them."""
SHORT_LABELS = {
    "ANAT-DP": ANATOMY,
    "OBS-DP": PRESENT,
    "OBS-U": UNCERTAIN,
    "OBS-DA": ABSENT,
}
"""The labels of RadGraph's first release, as its JSON spells them."""

MODIFY, LOCATED_AT, SUGGESTIVE_OF = "modify", "located_at", "suggestive_of"
RELATION_TYPES = (MODIFY, LOCATED_AT, SUGGESTIVE_OF)


def state(label: str) -> str:
    """In a word what an entity label says: anatomy, present, uncertain or absent."""
    if label.startswith("Anatomy::"):
        return "anatomy"
    return label.rsplit("::", 1)[-1].removeprefix("definitely ")
