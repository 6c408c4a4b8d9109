"""Where a model lies that is asked for by its run, its own folder, or as a random one."""

from __future__ import annotations

from pathlib import Path

from radpair.errors import ModelError
from radpair.models.folder import HASHES

RANDOM = "random:"


def model_place(asked: str) -> str:
    """What ``open_model`` takes for a run folder, a model folder or ``random:LIKE``.

    Raises ``ModelError`` for a folder that holds no finished model, and for a study set.
    """
    if asked.startswith(RANDOM):
        like = asked.removeprefix(RANDOM)
        return RANDOM + (model_place(like) if Path(like).is_dir() else like)
    folder = Path(asked)
    if (folder / HASHES).is_file():
        return asked
    inner = folder / "model"
    if (inner / HASHES).is_file():
        return str(inner)
    if not folder.is_dir():
        raise ModelError(
            f"there is no folder {folder}; give a run folder, a model folder or random:LIKE"
        )
    if (folder / "manifest.json").is_file() and (folder / "studies.parquet").is_file():
        raise ModelError(
            f"{folder}: this is a study set; name it with --data, and give a run folder, a model "
            "folder or random:LIKE as the model"
        )
    raise ModelError(
        f"{folder}: holds no finished model ({HASHES} is in neither it nor {inner}); finish its "
        "pretraining or name another folder"
    )
