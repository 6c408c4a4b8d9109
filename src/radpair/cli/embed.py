"""``radpair embed``."""

from __future__ import annotations

from pathlib import Path


def embed(*, model: str, data: Path, out: Path, device: str = "cpu") -> None:
    """Write one row a study: its id, its features, and its point in the shared space.

    Args:
        model: A model folder, or random:LIKE.
        data: The study set.
        out: The table to write (.parquet).
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.run import write_embeddings

    print(write_embeddings(model, data, out, device))
