"""Weights by name where the hub cannot be asked."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.torch import save_file

from radpair.encoders.image import ImageConfig, ImageEncoder
from radpair.encoders.text import TextConfig, build_bert, load_tokenizer
from radpair.errors import RecipeError

WEIGHTS: dict[str, Callable[[], object]] = {
    r"--set image\.weights=FILE": lambda: ImageEncoder(
        ImageConfig(name="resnet10t", weights="pretrained")
    ),
    r"--set text\.weights=FOLDER": lambda: build_bert(TextConfig(weights="some/bert"), 50),
    "give that folder": lambda: load_tokenizer("some/bert"),
}


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize("remedy", WEIGHTS)
def test_defect_a_silent_hub_was_asked_again_and_again_aloud(
    remedy: str,
    offline: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # nobody has it once it is closed
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RecipeError, match=remedy) as refused:
        WEIGHTS[remedy]()
    why = "HF_HUB_OFFLINE is set" if offline else r"127\.0\.0\.1 does not answer"
    assert re.search(rf"\({why}, and \w+ w\w+ not", str(refused.value))
    assert constants.HF_HUB_OFFLINE is offline
    assert capfd.readouterr().err == ""


def test_the_repository_is_named_in_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RecipeError, match=r"model\.safetensors of timm/resnet10t\.c3_in1k on"):
        ImageEncoder(ImageConfig(name="resnet10t", weights="pretrained"))


def test_what_was_fetched_before_is_taken_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    first = ImageEncoder(ImageConfig(name="resnet10t"))
    kept = tmp_path / "models--timm--resnet10t.c3_in1k"
    for folder in ("refs", "snapshots/one"):
        (kept / folder).mkdir(parents=True)
    (kept / "refs/main").write_text("one")
    state = {key: value.contiguous() for key, value in first.backbone.state_dict().items()}
    save_file(state, kept / "snapshots/one/model.safetensors")
    second = ImageEncoder(ImageConfig(name="resnet10t", weights="pretrained"))
    assert first.backbone.conv1[0].weight.equal(second.backbone.conv1[0].weight)
