"""radpair: image encoders from radiographs and their reports, with very few labels."""

from __future__ import annotations

__version__ = "0.1.0"
