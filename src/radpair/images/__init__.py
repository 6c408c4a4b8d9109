"""Floor 2: pixels, from a file to what an encoder sees."""

from radpair.images.decode import decode
from radpair.images.raster import shrink

__all__ = ["decode", "shrink"]
