"""MLPs as key–value memories: the contexts a neuron's key fires on, and what its value writes.

With LayerNorm folded, an MLP is  Σ_i act(x · k_i + b_i) v_i + b_out: each neuron i has a key k_i (a
column of W_in) and a value v_i (a row of W_out). Geva et al. 2021,
https://arxiv.org/abs/2012.14913; Elhage et al. 2021 for keys and values that point in opposite
directions ("memory management"), https://transformer-circuits.pub/2021/framework/index.html.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import gelu
from transformer_lens.model_bridge import TransformerBridge
from transformers.activations import ACT2FN


def mlp_weights(model: TransformerBridge) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return W_in ``[layer d_model neuron]``, b_in, W_out and b_out, zeros for missing biases.

    In a gated MLP (Llama) W_in holds the keys whose findings the gate multiplies.

    >>> from helpers.models import load_model
    >>> [list(weight.shape) for weight in mlp_weights(load_model("ioi-gpt2"))]
    [[6, 256, 512], [6, 512], [6, 512, 256], [6, 256]]
    """
    W_in, W_out = model.W_in, model.W_out
    biases = [
        torch.stack([W.new_zeros(W.shape[-1]) if b is None else b.to(W) for b in by_layer])
        for W, by_layer in (
            (W_in, [block.mlp.b_in for block in model.blocks]),
            (W_out, [block.mlp.b_out for block in model.blocks]),
        )
    ]
    return W_in, biases[0], W_out, biases[1]


def activation_function(
    model: TransformerBridge, layer: int, x: Float[Tensor, " d_model"]
) -> Callable[[Tensor], Tensor]:
    """Return the function that makes the activations of  x · k_i + b_i  where the MLP reads ``x``.

    In a gated MLP (Shazeer 2020, https://arxiv.org/abs/2002.05202) it multiplies them by the gates
    act(x · g_i + c_i).

    >>> from helpers.models import load_model
    >>> activation_function(load_model("ioi-gpt2"), 0, torch.zeros(256))(torch.tensor([-9.0, 9.0]))
    tensor([-0., 9.])
    """
    act = _tanh_gelu if model.cfg.act_fn == "gelu_new" else ACT2FN[model.cfg.act_fn]
    if not getattr(model.cfg, "gated_mlp", False):
        return act
    mlp = model.blocks[layer].mlp
    gates = act(x @ mlp.W_gate + (0 if mlp.b_gate is None else mlp.b_gate))
    return lambda found: gates * found


def _tanh_gelu(x: Tensor) -> Tensor:
    return gelu(x, approximate="tanh")


def neuron_outputs(
    x: Float[Tensor, " d_model"],
    W_in: Float[Tensor, "d_model neuron"],
    b_in: Float[Tensor, " neuron"],
    W_out: Float[Tensor, "neuron d_model"],
    act: Callable[[Tensor], Tensor],
) -> Float[Tensor, "neuron d_model"]:
    """Output of each neuron at one position,  act(x · k_i + b_i) v_i.

    All rows and b_out sum to the MLP's output.

    >>> W_in = torch.tensor([[1.0, -1.0]])
    >>> neuron_outputs(torch.tensor([2.0]), W_in, torch.zeros(2), torch.ones(2, 1), torch.relu).T
    tensor([[2., 0.]])
    """
    return act(x @ W_in + b_in)[:, None] * W_out


def top_contexts(activations: Float[Tensor, "text pos"], count: int) -> Int[Tensor, "context 2"]:
    """Text and position of one neuron's highest activations, highest first.

    At most one per text, and never position 0.

    >>> top_contexts(torch.tensor([[9.0, 1.0, 2.0], [9.0, 5.0, 4.0]]), count=2)
    tensor([[1, 1],
            [0, 2]])
    """
    highest, positions = activations[:, 1:].max(dim=1)
    texts = highest.topk(count).indices
    return torch.stack([texts, positions[texts] + 1], dim=1)


def key_value_cosine(
    W_in: Float[Tensor, "d_model neuron"],
    W_out: Float[Tensor, "neuron d_model"],
    gain: Float[Tensor, " d_model"],
) -> Float[Tensor, " neuron"]:
    """Cosine of every neuron's key and value, without the parts that LayerNorm removes.

    The key is multiplied by LayerNorm's ``gain`` (ones when it is folded), then centred over
    d_model; the value is centred. Unrelated directions have a cosine of 0 ± 1/√d_model.

    >>> W_in, W_out = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0, 1.0]])
    >>> key_value_cosine(W_in, W_out, gain=torch.ones(2)).round()
    tensor([-1.])
    """
    keys, values = (gain[:, None] * W_in).T, W_out
    keys, values = (side - side.mean(dim=1, keepdim=True) for side in (keys, values))
    return torch.cosine_similarity(keys, values, dim=1)


def agreement(
    activations: Float[Tensor, "text pos neuron"],
    tokens: Int[Tensor, "text pos"],
    promoted: Int[Tensor, " neuron"],
    count: int = 10,
) -> Float[Tensor, " neuron"]:
    """Fraction of a neuron's top contexts in which the ``promoted`` token comes next.

    ``promoted`` is the token whose logit the neuron's value raises most. The random baseline is
    that token's frequency. Geva et al. 2021, section 4, take the first context only.

    >>> activations, tokens = torch.zeros(2, 3, 1), torch.tensor([[0, 1, 5], [0, 1, 6]])
    >>> agreement(activations, tokens, promoted=torch.tensor([5]), count=2)
    tensor([0.5000])
    """
    texts, positions = _top_contexts_of_all(activations, count)
    return (tokens[texts, positions + 1] == promoted).float().mean(dim=0)


def label_fractions(
    activations: Float[Tensor, "text pos neuron"], tokens: Int[Tensor, "text pos"], count: int = 10
) -> tuple[Float[Tensor, " neuron"], Float[Tensor, " neuron"]]:
    """Fractions of top contexts, and of positive activation, that a neuron's best label covers.

    A label is "the current token is …" or "the next token is …". The best label is the one that
    holds in most of the top contexts.

    >>> activations, tokens = torch.ones(2, 4, 1), torch.tensor([[0, 1, 5, 5], [0, 1, 6, 6]])
    >>> label_fractions(activations, tokens, count=2)
    (tensor([1.]), tensor([0.5000]))
    """
    top = _top_contexts_of_all(activations, count)
    firing = activations[:, 1:-1].clamp_min(0)
    current = _fractions(firing, tokens[:, 1:-1], tokens[top])
    following = _fractions(firing, tokens[:, 2:], tokens[:, 1:][top])
    better = following[0] > current[0]
    return torch.where(better, following[0], current[0]), torch.where(better, following[1], current[1])


def _top_contexts_of_all(
    activations: Float[Tensor, "text pos neuron"], count: int
) -> tuple[Int[Tensor, "context neuron"], Int[Tensor, "context neuron"]]:
    """Texts and positions of every neuron's highest activations, at most one per text.

    The first and the last position are left out.
    """
    highest, positions = activations[:, 1:-1].max(dim=1)
    texts = highest.topk(count, dim=0).indices
    return texts, positions.gather(0, texts) + 1


def _fractions(
    firing: Float[Tensor, "text pos neuron"],
    tokens: Int[Tensor, "text pos"],
    top_tokens: Int[Tensor, "context neuron"],
) -> tuple[Float[Tensor, " neuron"], Float[Tensor, " neuron"]]:
    """Both fractions for the most common of the tokens in each neuron's top contexts."""
    label = top_tokens.mode(dim=0).values
    mass = torch.stack([firing[:, :, n][tokens == token].sum() for n, token in enumerate(label.tolist())])
    return (top_tokens == label).float().mean(dim=0), mass / firing.sum(dim=(0, 1)).clamp_min(1e-9)
