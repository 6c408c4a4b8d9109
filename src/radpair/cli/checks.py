"""What several verbs ask of the numbers they are given."""

from __future__ import annotations

from radpair.errors import RadpairError


def at_least(option: str, value: int | None, least: int) -> None:
    """Raises ``RadpairError`` where ``value`` was given and is less than ``least``."""
    if value is not None and value < least:
        raise RadpairError(f"{option} {value}: give a whole number from {least} up")
