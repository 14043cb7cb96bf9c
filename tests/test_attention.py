"""Rotary positions turn queries and keys so that a score depends on the distance alone; shared keys are each one's own."""

import torch

from helpers.attention import Attention
from helpers.components import Rotary
from helpers.exercises.inputs import generator
from tests.families import family
from tests.interventions import INTO


def angles(positions: int, size: int) -> Rotary:
    frequencies = torch.arange(positions)[:, None] * 0.3 ** torch.arange(size // 2)
    return Rotary(*(torch.cat([f(frequencies)] * 2, dim=-1) for f in (torch.cos, torch.sin)))


def test_a_score_depends_on_the_distance_alone():
    rotary = angles(9, 6)
    q, k = torch.randn(2, 1, 1, 1, 8, generator=generator(0))
    at = [rotary.rotate(x.expand(1, 9, 1, 8), 0)[0, :, 0] for x in (q, k)]
    scores = at[0] @ at[1].T
    for distance in range(1, 8):
        same = scores.diagonal(-distance)
        torch.testing.assert_close(same, same[:1].expand_as(same))
    assert scores[:, 0].std() > 0.1


def test_rotation_starts_at_a_position_and_leaves_the_rest():
    rotary, x = angles(9, 6), torch.randn(2, 5, 3, 8, generator=generator(1))
    whole = rotary.rotate(torch.cat([x, x], dim=1)[:, :9], 0)
    torch.testing.assert_close(rotary.rotate(x[:, :4], 5), whole[:, 5:])
    torch.testing.assert_close(whole[..., 6:], torch.cat([x, x], dim=1)[:, :9, :, 6:])
    torch.testing.assert_close(whole.norm(dim=-1)[:, :5], x.norm(dim=-1))


def test_pattern_and_z_are_those_of_the_model_with_shared_keys():
    model = family("qwen3")
    attention, (_, cache) = Attention(model), model.run_with_cache(INTO)
    q, k, v = (cache[f"blocks.1.attn.hook_{port}"] for port in "qkv")
    rotary = Rotary(cache["rotary_emb.hook_cos"][0], cache["rotary_emb.hook_sin"][0])
    pattern = attention.pattern(q, k, 1, rotary)
    torch.testing.assert_close(pattern, cache["blocks.1.attn.hook_pattern"], atol=1e-5, rtol=0)
    z = cache["blocks.1.attn.hook_z"]
    torch.testing.assert_close(attention.weighted_values(pattern, v), z, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(attention.z(q[:, 3:], k, v, 1, rotary), z[:, 3:], atol=1e-4, rtol=1e-4)
