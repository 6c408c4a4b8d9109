"""Results as one self-contained HTML page."""

from radpair.evaluation.report.page import write_page
from radpair.evaluation.report.samples import Sample

__all__ = ["Sample", "write_page"]
