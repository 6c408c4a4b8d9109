"""The Hugging Face hub: asked only where it answers, else only what was fetched before is taken."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies

SECONDS = 5.0
"""In which the hub has to answer."""


@contextmanager
def hub() -> Iterator[str]:
    """Within it the libraries ask the hub where it answers, and only their cache where not.

    Left to themselves they ask again for most of a minute and speak of each time. Yields why
    nothing can be fetched, empty where it can.
    """
    from huggingface_hub import constants

    talk = logging.getLogger("huggingface_hub")
    before, level = constants.HF_HUB_OFFLINE, talk.level
    why = "HF_HUB_OFFLINE is set" if before else _silence(constants.ENDPOINT)
    constants.HF_HUB_OFFLINE = bool(why)
    talk.setLevel(logging.ERROR)
    try:
        yield why
    finally:
        constants.HF_HUB_OFFLINE = before
        talk.setLevel(level)


@lru_cache
def _silence(endpoint: str) -> str:
    """Why ``endpoint`` cannot be asked, empty where it can or where a proxy will ask it."""
    address = urlsplit(endpoint)
    if address.hostname is None or {address.scheme, "all"} & getproxies().keys():
        return ""
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname, port), SECONDS).close()
    except OSError:
        return f"{address.hostname} does not answer"
    return ""
