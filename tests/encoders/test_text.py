from __future__ import annotations

from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radpair.encoders.lengths import first_token, parts_by_length, split_by_length
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


def batch_of(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    tokens = torch.randint(5, 50, (len(lengths), max(lengths)))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return tokens * mask, mask


@pytest.mark.parametrize("pooling", ["max", "mean", "cls"])
def test_texts_read_by_length_have_the_same_values(
    pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("radpair.encoders.lengths.EXTRA_CPU", 1)
    model = encoder(pooling)
    lengths = [4, 30, 9, 8, 31, 4, 9]
    tokens, mask = batch_of(lengths)
    assert len(parts_by_length(tokens, mask, lengths)) > 2
    weight = torch.randn(7, 16)

    def gradients(found: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad((found * weight).sum(), list(model.parameters()))

    expected, found = model(tokens, mask), model(tokens, mask, lengths)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    for a, b in zip(gradients(found), gradients(expected), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_the_mask_given_is_the_mask_of_transformers(implementation: str) -> None:
    model, (tokens, mask) = encoder("mean"), batch_of([12, 5, 1])
    model.bert.set_attn_implementation(implementation)
    (part,) = parts_by_length(tokens, mask, [12, 5, 1])
    assert part.attention_mask(model.bert).ndim == (4 if implementation == "sdpa" else 2)
    with torch.no_grad():
        expected = model.bert(input_ids=tokens, attention_mask=mask.long())[0]
        found = model.bert(input_ids=tokens, attention_mask=part.attention_mask(model.bert))[0]
    torch.testing.assert_close(found[mask], expected[mask], atol=1e-5, rtol=1e-5)


def test_texts_of_one_length_need_no_mask() -> None:
    model, (tokens, mask) = encoder("max"), batch_of([12] * 5)
    assert parts_by_length(tokens, mask, [12] * 5)[0].attention_mask(model.bert) is None
    with torch.no_grad():
        torch.testing.assert_close(
            model(tokens, mask, [12] * 5), model(tokens, mask), atol=1e-5, rtol=1e-5
        )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(0, 30))
def test_no_other_division_reads_fewer_tokens(lengths: list[int], extra: int) -> None:
    """Against every division of the texts in order of length."""
    cuts = split_by_length(lengths, extra)
    assert sorted(row for rows, _ in cuts for row in rows) == list(range(len(lengths)))
    assert all(longest == max(lengths[row] for row in rows) for rows, longest in cuts)
    found = sum(len(rows) * longest + extra for rows, longest in cuts)
    ordered = sorted(lengths)
    inner = range(1, len(lengths))
    assert found == min(
        sum((b - a) * ordered[b - 1] + extra for a, b in pairwise((0, *ends, len(lengths))))
        for count in range(len(lengths))
        for ends in combinations(inner, count)
    )


def test_places_of_texts_laid_end_to_end() -> None:
    lengths = [3, 1, 9, 3]
    tokens, mask = batch_of(lengths)
    parts = parts_by_length(tokens, mask, lengths)
    flat = torch.cat([part.tokens.flatten() for part in parts])
    for row, (length, start) in enumerate(zip(lengths, first_token(parts).tolist(), strict=True)):
        assert flat[start : start + length].equal(tokens[row, :length])


def test_frozen_layers_leave_nothing_for_the_gradient(tmp_path) -> None:
    """ConVIRT, section 4.2: what enters the first trained layer asks for no gradient."""
    shape = {**SMALL, "layers": 4}
    build_bert(TextConfig(**shape), 50).save_pretrained(tmp_path)
    tokens, mask = batch_of([6, 6])

    def kept(frozen_layers: int) -> int:
        config = TextConfig(weights=str(tmp_path), frozen_layers=frozen_layers, **shape)
        model = TextEncoder(config, build_bert(config, 50)).train()
        entering = {}
        for number, layer in enumerate(model.bert.encoder.layer):
            layer.register_forward_pre_hook(
                lambda _, states, number=number: entering.update({number: states[0]})
            )
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: sizes.append(t.numel()) or t, lambda t: t
        ):
            model(tokens, mask)
        trained = [number for number, states in entering.items() if states.requires_grad]
        assert trained == list(range(frozen_layers + 1, 4))
        return sum(sizes)

    assert kept(4) == 0
    assert kept(1) - kept(2) == kept(2) - kept(3) > 0
