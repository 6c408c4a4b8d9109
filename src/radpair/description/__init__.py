"""Floor 6: what a study set holds, on the screen and as a page."""

from radpair.description.facts import describe
from radpair.description.page import render, write_page
from radpair.description.text import told

__all__ = ["describe", "render", "told", "write_page"]
