"""The graph schema, fixed and written down once: RadGraph's entity labels and relations.

Ids are positions in these tuples and never depend on the data at hand. New labels may only be
added at the end.

Jain et al., "RadGraph: Extracting clinical entities and relations from radiology reports", 2021;
the measurement labels are those of RadGraph-XL (Delbrouck et al., 2024).
"""

from __future__ import annotations

ANATOMY = "Anatomy::definitely present"
PRESENT = "Observation::definitely present"
UNCERTAIN = "Observation::uncertain"
ABSENT = "Observation::definitely absent"
MEASURED_ANATOMY = "Anatomy::measurement::definitely present"
MEASURED_OBSERVATION = "Observation::measurement::definitely present"

ENTITY_LABELS = (ANATOMY, PRESENT, UNCERTAIN, ABSENT, MEASURED_ANATOMY, MEASURED_OBSERVATION)
SHORT_LABELS = {
    "ANAT-DP": ANATOMY,
    "OBS-DP": PRESENT,
    "OBS-U": UNCERTAIN,
    "OBS-DA": ABSENT,
}
"""The labels of RadGraph's first release, as its JSON spells them."""

MODIFY, LOCATED_AT, SUGGESTIVE_OF = "modify", "located_at", "suggestive_of"
RELATION_TYPES = (MODIFY, LOCATED_AT, SUGGESTIVE_OF)
