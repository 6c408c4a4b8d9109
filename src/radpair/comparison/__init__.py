"""Floor 6: comparisons: a model beside radiologists on the same studies."""

from radpair.comparison.readers import Model, Panel, compare
from radpair.comparison.run import compare_readers, write_results

__all__ = ["Model", "Panel", "compare", "compare_readers", "write_results"]
