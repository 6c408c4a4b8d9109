"""``radpair graphs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def graphs(
    data: Path,
    /,
    *,
    origin: Annotated[str, Parameter(name="--from")] = "rules",
    processes: int | None = None,
) -> None:
    """Turn the reports of a study set into knowledge graphs.

    Args:
        data: The study set.
        origin: 'rules' extracts them, 'source' takes those that came with the data, and a file
            holds RadGraph's JSON keyed by study id.
        processes: Worker processes; every core if not given.
    """
    from radpair.processes import cpus
    from radpair.progress import counting
    from radpair.studyset import give_graphs

    with counting("graphs") as progress:
        summary = give_graphs(data, origin, processes or cpus(), progress)
    print(summary)
