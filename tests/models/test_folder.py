from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

import radpair
from discs import graph_of
from radpair.encoders.graph import GraphConfig
from radpair.encoders.image import ImageConfig
from radpair.encoders.text import TextConfig
from radpair.errors import ModelError
from radpair.models import open_model
from radpair.models.folder import save_folder, write_atomically
from radpair.models.pair import PairConfig, PairModel
from radpair.reports.tokenizer import train_tokenizer

WORDPIECE = train_tokenizer(["a bright left disc and the heart"] * 5, 80)
CONFIG = PairConfig(
    partner="both",
    dim=16,
    image=ImageConfig(name="resnet10t", channels=1, size=32, mean=(0.4,), std=(0.2,)),
    text=TextConfig(layers=1, width=16, heads=2, max_tokens=12),
    graph=GraphConfig(nodes="words", width=16, word_width=16, feed_forward=16),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(7)
    model = PairModel(CONFIG, WORDPIECE.get_vocab_size())
    save_folder(tmp_path / "model", model, WORDPIECE, labels=("Disc",))
    return tmp_path / "model"


def films(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (40, 30 + n), dtype=np.uint8) for n in range(count)]


def test_loads_what_was_saved(folder: Path) -> None:
    model = radpair.load(folder)
    again = radpair.load(folder)
    assert (model.hash, model.labels, model.size) == (again.hash, ("Disc",), 32)
    codes = model.encode_images(films(5), batch=2)
    assert codes.features.shape == (5, model.pair.image.dim)
    np.testing.assert_allclose(np.linalg.norm(codes.projections, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(codes.features, again.encode_images(films(5), batch=2).features)


def test_a_code_does_not_depend_on_what_is_encoded_beside_it(folder: Path) -> None:
    model = radpair.load(folder)
    texts = ["a left disc", "the heart and a bright left disc and the heart", "disc"]
    graphs = [graph_of(side, n) for n, side in enumerate(("left", "", "right"))]
    for encode, items in ((model.encode_texts, texts), (model.encode_graphs, graphs)):
        together = encode(items)
        alone = np.concatenate([encode([item]) for item in items])
        np.testing.assert_allclose(together, alone, atol=1e-5)
    images = films(3)
    together = model.encode_images(images).projections
    alone = np.concatenate([model.encode_images([image]).projections for image in images])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("part", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_changed_byte_is_noticed(folder: Path, part: str) -> None:
    content = bytearray((folder / part).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / part).write_bytes(bytes(content))
    with pytest.raises(ModelError, match=rf"{part}: altered"):
        radpair.load(folder)


def test_a_missing_part_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json: missing"):
        radpair.load(folder)
    with pytest.raises(ModelError, match="does not exist"):
        radpair.load(tmp_path / "nowhere")


def test_another_schema_is_refused(folder: Path) -> None:
    described = json.loads((folder / "config.json").read_text())
    described["graph_schema"]["entities"].reverse()
    (folder / "config.json").write_text(json.dumps(described))
    import hashlib

    hashes = json.loads((folder / "hashes.json").read_text())
    hashes["config.json"] = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    (folder / "hashes.json").write_text(json.dumps(hashes))
    with pytest.raises(ModelError, match=r"graph schema \(entities\)"):
        radpair.load(folder)


def test_random_models_are_seeded_and_share_the_preprocessing(folder: Path) -> None:
    """Defects 10 and 18: the control has a seed, and the same pixels go in."""
    trained, a = radpair.load(folder), open_model(f"random:{folder}")
    b = open_model(f"random:{folder}")
    assert a.name.startswith("random:")
    assert a.pair.config.image == trained.pair.config.image
    one, two = (model.encode_images(films(2)).features for model in (a, b))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, trained.encode_images(films(2)).features)
    with pytest.raises(ModelError, match="no text tower"):
        a.encode_texts(["x"])
    with pytest.raises(ModelError, match="no graph tower"):
        a.encode_graphs([graph_of("left", 0)])


def test_wrong_pixels_are_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="as uint8"):
        radpair.load(folder).encode_images([np.zeros((8, 8, 3), np.uint8)])


def test_evaluation_mode_leaves_every_buffer_alone(folder: Path) -> None:
    """Defect 17: batch normalisation is not in training mode."""
    model = radpair.load(folder)
    before = {key: value.clone() for key, value in model.pair.state_dict().items()}
    model.encode_images(films(4))
    assert all(before[key].equal(value) for key, value in model.pair.state_dict().items())
    assert not any(module.training for module in model.pair.modules())


def test_config_survives_the_round_trip(folder: Path) -> None:
    config = radpair.load(folder).pair.config
    assert dataclasses.asdict(config) == dataclasses.asdict(CONFIG)


def test_a_file_is_on_the_disk_before_its_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order a power cut leaves the file of before or the whole new one."""
    synced, real = [], os.fsync

    def noted(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, (tmp_path / "a").exists()))
        real(descriptor)

    monkeypatch.setattr("os.fsync", noted)
    write_atomically(tmp_path / "a", b"whole")
    assert synced == [("file", False), ("folder", True)]
