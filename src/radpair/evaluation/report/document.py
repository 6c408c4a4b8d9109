"""The frame of a page that needs no network, and its sections."""

from __future__ import annotations

from html import escape
from importlib.resources import files

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, body: str, style: str = "") -> str:
    """A whole page: ``body`` is HTML, ``title`` plain text, ``style`` CSS beside the shared one."""
    shared = files("radpair.evaluation.report").joinpath("style.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{escape(title)}</title><style>{shared}{style}</style></head><body><main>"
        f"{body}</main></body></html>\n"
    )


def section(title: str, content: str) -> str:
    """A part of the page: ``content`` is HTML, ``title`` plain text."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>"
