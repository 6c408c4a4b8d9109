"""RadGraph's own model as the origin of a corpus's graphs: one report at a time, each kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from radpair import __version__
from radpair.graphs.origin import Chunk, Entry, entry
from radpair.graphs.radgraph_model import RadGraphModel
from radpair.records import Graph
from radpair.reports.reading import read
from radpair.reports.sentences import split
from radpair.sources.reports import ReportText

RADGRAPH = "radgraph"
NOTHING_FOUND = "RadGraph found no entity"


class FromRadGraph:
    """What a running model makes of the findings and impression of reports.

    It is given the sentences that the rules read, so that graphs of both can be compared.
    """

    def __init__(self, model: RadGraphModel) -> None:
        self.model = model

    def identity(self) -> dict[str, str]:
        """The model, its weights and package as the model states them, and radpair's version."""
        return {"from": RADGRAPH, **self.model.provenance(), "radpair": __version__}

    def entries(self, chunks: Iterable[Chunk]) -> Iterator[list[Entry]]:
        """Each report's entry by itself, so that a job that is killed loses no more than one."""
        for chunk in chunks:
            for report in chunk:
                yield [self._entry(report)]

    def _entry(self, report: ReportText) -> Entry:
        text = " ".join(split(read(report.text).body))
        found = self.model.graph(text)
        if isinstance(found, Graph):
            return entry(report, found, NOTHING_FOUND)
        return entry(report, Graph(text), found)
