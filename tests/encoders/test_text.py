from __future__ import annotations

import pytest
import torch

from radpair.encoders.text import TextConfig, TextEncoder, build_bert, load_tokenizer
from radpair.errors import RecipeError

SMALL = {"layers": 2, "width": 16, "heads": 2, "vocabulary": 50}


def encoder(pooling: str) -> TextEncoder:
    torch.manual_seed(0)
    config = TextConfig(pooling=pooling, **SMALL)
    return TextEncoder(config, build_bert(config, 50)).eval()


@pytest.mark.parametrize("pooling", ["max", "mean", "cls"])
def test_padding_is_never_pooled(pooling: str) -> None:
    model = encoder(pooling)
    tokens = torch.randint(5, 50, (1, 6))
    padded = torch.cat([tokens, torch.zeros(1, 9, dtype=torch.long)], 1)
    mask = torch.arange(15)[None] < 6
    with torch.no_grad():
        alone = model(tokens, mask[:, :6])
        together = model(padded, mask)
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)


def test_lower_layers_stay_frozen_and_the_rest_learns(tmp_path) -> None:
    """ConVIRT, section 4.2; defect 11: the text side learns."""
    config = TextConfig(**SMALL)
    build_bert(config, 50).save_pretrained(tmp_path)
    frozen = TextConfig(weights=str(tmp_path), frozen_layers=1, **SMALL)
    model = TextEncoder(frozen, build_bert(frozen, 50))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=1.0)
    model(torch.randint(5, 50, (4, 6)), torch.ones(4, 6, dtype=torch.bool)).pow(2).sum().backward()
    optimiser.step()
    changed = {key for key, value in model.state_dict().items() if not before[key].equal(value)}
    assert changed
    assert all(".layer.1." in key for key in changed)


def test_missing_weights_say_where_to_put_them(tmp_path) -> None:
    with pytest.raises(RecipeError, match=r"--set text\.weights=FOLDER"):
        build_bert(TextConfig(weights=str(tmp_path / "nothing"), **SMALL), 50)
    with pytest.raises(RecipeError, match=r"tokenizer\.json"):
        load_tokenizer(str(tmp_path))
