"""Floor 2: pixels, from a file to what an encoder sees."""

from radpair.images.decode import decode, shrink

__all__ = ["decode", "shrink"]
