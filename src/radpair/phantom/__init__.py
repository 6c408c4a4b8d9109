"""Synthetic chest studies whose truth is known: films, reports, and knowledge graphs."""

from __future__ import annotations

from radpair.phantom.source import Phantom

__all__ = ["Phantom"]
