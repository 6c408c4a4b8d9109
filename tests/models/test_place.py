from __future__ import annotations

from pathlib import Path

import pytest

from radpair.errors import ModelError
from radpair.models.place import model_place


def test_a_run_stands_for_its_model(tmp_path: Path) -> None:
    model = tmp_path / "run" / "model"
    model.mkdir(parents=True)
    with pytest.raises(ModelError, match="holds no finished model"):
        model_place(str(tmp_path / "run"))
    (model / "hashes.json").write_text("{}")
    for asked in (tmp_path / "run", model):
        assert model_place(str(asked)) == str(model)
        assert model_place(f"random:{asked}") == f"random:{model}"
    assert model_place("random:resnet18") == "random:resnet18"


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        model_place(str(tmp_path / "none"))
    for name in ("manifest.json", "studies.parquet"):
        (tmp_path / name).touch()
    for asked in (str(tmp_path), f"random:{tmp_path}"):
        with pytest.raises(ModelError, match="this is a study set; name it with --data"):
            model_place(asked)
