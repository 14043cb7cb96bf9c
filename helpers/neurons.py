"""MLPs as key–value memories: what a neuron's key fires on, and what its value writes.

With LayerNorm folded, an MLP is  Σ_i act(x · k_i + b_i) v_i + b_out : each neuron i has a key k_i (a column of W_in) and a
value v_i (a row of W_out). Geva et al. 2021, https://arxiv.org/abs/2012.14913; Elhage et al. 2021 for keys and values that
are opposed ("memory management"), https://transformer-circuits.pub/2021/framework/index.html.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor


def neuron_outputs(
    x: Float[Tensor, " d_model"],
    W_in: Float[Tensor, "d_model neuron"],
    b_in: Float[Tensor, " neuron"],
    W_out: Float[Tensor, "neuron d_model"],
    act: Callable[[Tensor], Tensor],
) -> Float[Tensor, "neuron d_model"]:
    """What each neuron adds to one stream:  act(x · k_i + b_i) v_i . All rows and b_out sum to the MLP's output."""
    return act(x @ W_in + b_in)[:, None] * W_out


def top_contexts(activations: Float[Tensor, "text pos"], count: int) -> Int[Tensor, "context 2"]:
    """Text and position of the highest activations of one neuron, highest first: one a text, never at position 0."""
    highest, where = activations[:, 1:].max(dim=1)
    texts = highest.topk(count).indices
    return torch.stack([texts, where[texts] + 1], dim=1)


def key_value_cosine(
    W_in: Float[Tensor, "d_model neuron"],
    W_out: Float[Tensor, "neuron d_model"],
    gain: Float[Tensor, " d_model"],
) -> Float[Tensor, " neuron"]:
    """Cosine of every neuron's key and value, both as LayerNorm lets them count.

    Key: multiplied by LayerNorm's ``gain`` (ones when it is folded), then centred over d_model; value: centred.
    Unrelated directions are 0 ± 1/√d_model.
    """
    keys, values = (gain[:, None] * W_in).T, W_out
    keys, values = (side - side.mean(dim=1, keepdim=True) for side in (keys, values))
    return torch.cosine_similarity(keys, values, dim=1)


def _tops(
    activations: Float[Tensor, "text pos neuron"], count: int
) -> tuple[Int[Tensor, "context neuron"], Int[Tensor, "context neuron"]]:
    """Texts and positions of every neuron's highest activations: one a text, neither at the first position nor at the last."""
    highest, where = activations[:, 1:-1].max(dim=1)
    texts = highest.topk(count, dim=0).indices
    return texts, where.gather(0, texts) + 1


def agreement(
    activations: Float[Tensor, "text pos neuron"],
    tokens: Int[Tensor, "text pos"],
    written: Int[Tensor, " neuron"],
    count: int = 10,
) -> Float[Tensor, " neuron"]:
    """Share of a neuron's top contexts that are followed by the token which its value raises most (``written``), 0 to 1.

    Geva et al. 2021, section 4, ask this of the first context alone.
    """
    texts, where = _tops(activations, count)
    return (tokens[texts, where + 1] == written).float().mean(dim=0)


def label_fractions(
    activations: Float[Tensor, "text pos neuron"], tokens: Int[Tensor, "text pos"], count: int = 10
) -> tuple[Float[Tensor, " neuron"], Float[Tensor, " neuron"]]:
    """How far the best one-token label of a neuron holds: among its top contexts, and over all of its positive activation.

    A label is "the current token is …" or "the next token is …"; the best is the one that most of the top contexts share.
    """
    top = _tops(activations, count)
    firing = activations[:, 1:-1].clamp_min(0)
    current = _of_one_kind(firing, tokens[:, 1:-1], tokens, top)
    following = _of_one_kind(firing, tokens[:, 2:], tokens[:, 1:], top)
    better = following[0] > current[0]
    return torch.where(better, following[0], current[0]), torch.where(better, following[1], current[1])


def _of_one_kind(firing: Tensor, seen: Tensor, by_position: Tensor, top: tuple) -> tuple[Tensor, Tensor]:
    """The two shares, for labels that name ``by_position[text, pos]``; ``seen`` is the same where ``firing`` is."""
    named = by_position[top]
    label = named.mode(dim=0).values
    mass = torch.stack([firing[:, :, n][seen == token].sum() for n, token in enumerate(label.tolist())])
    return (named == label).float().mean(dim=0), mass / firing.sum(dim=(0, 1)).clamp_min(1e-9)
