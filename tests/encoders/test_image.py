from __future__ import annotations

import pytest
import torch

from radpair.encoders.image import ImageConfig, ImageEncoder
from radpair.errors import RecipeError

GREY = {"channels": 1, "size": 32, "mean": (0.5,), "std": (0.25,)}


def test_normalisation_is_part_of_the_encoder() -> None:
    """Defect 18: preprocessing travels with the weights."""
    torch.manual_seed(0)
    model = ImageEncoder(ImageConfig(name="resnet10t", **GREY)).eval()
    pixels = torch.randint(0, 256, (2, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        found = model(pixels)
        expected = model.backbone((pixels[:, None].float() / 255 - 0.5) / 0.25)
    assert found.shape == (2, model.dim)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_unknown_names_and_weights_are_explained(tmp_path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'resnet50'"):
        ImageEncoder(ImageConfig(name="resnet5o"))
    with pytest.raises(RecipeError, match="is not a file"):
        ImageEncoder(
            ImageConfig(name="resnet10t", weights=str(tmp_path / "gone.safetensors"), **GREY)
        )
    pickled = tmp_path / "weights.pth"
    pickled.write_bytes(b"x")
    with pytest.raises(RecipeError, match="can run code"):
        ImageEncoder(ImageConfig(name="resnet10t", weights=str(pickled), **GREY))


def test_local_weights_are_taken(tmp_path) -> None:
    from safetensors.torch import save_file

    config = ImageConfig(name="resnet10t", **GREY)
    first = ImageEncoder(config)
    file = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in first.backbone.state_dict().items()}, file)
    second = ImageEncoder(ImageConfig(name="resnet10t", weights=str(file), **GREY))
    for key, value in first.backbone.state_dict().items():
        assert value.equal(second.backbone.state_dict()[key])


def test_what_is_asked_for_in_32_bits_has_them_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    ImageEncoder(ImageConfig(name="resnet10t", **GREY))
    assert not torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"
