"""Measures of the residual stream: its components, their subspaces, what they add to a logit.

The stream is a sum: the embedding, and the output of every head of every layer (Elhage et al. 2021,
"Virtual weights and the residual stream as a communication channel"). Its axes have no meaning of
their own: the model computes the same in any rotated basis, so every measure here concerns
directions and subspaces. https://transformer-circuits.pub/2021/framework/index.html
"""

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor
from transformer_lens import ActivationCache
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Component


def head_outputs(
    z: Float[Tensor, "layer pos head d_head"], W_O: Float[Tensor, "layer head d_head d_model"]
) -> Float[Tensor, "layer head pos d_model"]:
    """Output of each head to the residual stream,  z W_O.

    With the embedding (and, in models that write them, positions, MLP outputs and biases) the
    outputs sum to the stream.

    >>> head_outputs(torch.ones(1, 1, 2, 3), torch.ones(1, 2, 3, 1)).flatten()
    tensor([3., 3.])
    """
    return einsum(z, W_O, "layer pos head d_head, layer head d_head d_model -> layer head pos d_model")


def decompose(
    model: TransformerBridge, cache: ActivationCache
) -> tuple[Float[Tensor, "component pos d_model"], list[Component]]:
    """Output of every component in the first sequence of a batch; they sum to the final stream.

    The components: embedding, positions where the model writes them to the stream, each head, each
    MLP, the biases of each layer. Raises ``ValueError`` if head outputs do not sum to what a layer
    adds, as where a norm follows attention.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> _, cache = model.run_with_cache("the cat")
    >>> outputs, components = decompose(model, cache)
    >>> print(list(outputs.shape), *components)
    [7, 3, 384] embedding 0.0 0.1 0.2 0.3 0.4 0.5
    """
    outputs, components = [cache["hook_embed"][0]], [Component("embedding")]
    if model.cfg.n_layers and not torch.equal(cache["blocks.0.hook_resid_pre"], cache["hook_embed"]):
        outputs.append(cache["hook_pos_embed"][0])
        components.append(Component("position"))
    for layer in range(model.cfg.n_layers):
        heads = head_outputs(cache[f"blocks.{layer}.attn.hook_z"][:1], model.W_O[[layer]])[0]
        outputs += list(heads)
        components += [Component("head", layer, head) for head in range(len(heads))]
        bias = cache[f"blocks.{layer}.hook_attn_out"][0] - heads.sum(dim=0)
        if (bias - bias[0]).abs().max() > 0.01 * cache[f"blocks.{layer}.hook_attn_out"][0].std():
            raise ValueError(
                "expected attention that adds the outputs of its heads to the stream, got "
                f"{model.cfg.architecture}, where a norm follows: use hook_attn_out of each layer."
            )
        if bias.abs().max() > 1e-3:
            outputs.append(bias)
            components.append(Component("bias", layer))
        if not model.cfg.attn_only:
            outputs.append(cache[f"blocks.{layer}.hook_mlp_out"][0])
            components.append(Component("mlp", layer))
    return torch.stack(outputs), components


def components_read(
    model: TransformerBridge, cache: ActivationCache, layer: int
) -> tuple[Float[Tensor, "component pos d_model"], list[Component]]:
    """Components that queries and keys of a layer read: outputs of earlier layers, and positions.

    Divided by the scale of the layer's LayerNorm where there is one, so that they sum to what
    ``W_Q`` and ``W_K`` multiply. Rotary positions are no component: they turn queries and keys.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> _, cache = model.run_with_cache("the cat")
    >>> print(*components_read(model, cache, layer=1)[1])
    embedding 0.0 0.1 0.2 0.3 0.4 0.5 position
    """
    outputs, components = decompose(model, cache)
    earlier = [component.layer is None or component.layer < layer for component in components]
    outputs = outputs[torch.tensor(earlier)]
    components = [component for component, is_read in zip(components, earlier) if is_read]
    if Component("position") not in components and "hook_pos_embed" in cache:
        outputs = torch.cat([outputs, cache["hook_pos_embed"][:1]])
        components.append(Component("position"))
    scale = f"blocks.{layer}.ln1.hook_scale"
    return (outputs / cache[scale][0] if scale in cache else outputs), components


def spectrum(vectors: Float[Tensor, "row d_model"]) -> Float[Tensor, " direction"]:
    """Variances along the principal directions of the rows, descending.

    They sum to the total variance. The eigenvalues of the covariance matrix (centred, divisor
    rows - 1), from the singular values of the centred rows. With fewer rows than columns there is
    one for every row; the others are 0.

    >>> spectrum(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])).round(decimals=3)
    tensor([1., 0.])
    """
    centred = vectors - vectors.mean(dim=0)
    return torch.linalg.svdvals(centred) ** 2 / (len(vectors) - 1)


def dimensions(spectrum: Float[Tensor, " direction"], fraction: float = 0.8) -> tuple[int, float]:
    """Fewest directions that hold ``fraction`` (< 1) of the variance, and the participation ratio.

    Participation ratio:  (Σ λ)² / Σ λ², which is n for n directions of equal variance.

    >>> dimensions(torch.tensor([4.0, 4.0, 1.0, 1.0]))
    (2, 2.9411764...)
    """
    held = spectrum.cumsum(dim=0) / spectrum.sum()
    ratio = spectrum.sum() ** 2 / (spectrum**2).sum()
    return int((held < fraction).sum()) + 1, ratio.item()


def held_out_fraction(
    fitted: Float[Tensor, "row d_model"], held_out: Float[Tensor, "held_out_row d_model"], k: int
) -> Float[Tensor, ""]:
    """Fraction of the variance of ``held_out`` in the first k principal directions of ``fitted``.

    Variance: the sum of squared distances to the mean of ``fitted``. About k / d_model for
    unrelated vectors.

    >>> held_out_fraction(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[3.0, 4.0]]), k=1)
    tensor(0.3600)
    """
    mean = fitted.mean(dim=0)
    directions = torch.linalg.svd(fitted - mean, full_matrices=False).Vh[:k]
    centred = held_out - mean
    return (centred @ directions.T).square().sum() / centred.square().sum()


def principal_cosines(
    A: Float[Tensor, "d_model a"], B: Float[Tensor, "d_model b"]
) -> Float[Tensor, " min_a_b"]:
    """Cosines of the principal angles between the column spaces of A and B, descending.

    The singular values of  Q_Aᵀ Q_B  for orthonormal bases Q (Björck and Golub 1973). 1: a shared
    direction; 0: an orthogonal one. For two random subspaces the mean squared cosine is
    max(a, b) / d_model.

    >>> principal_cosines(torch.eye(3)[:, :2], torch.eye(3)[:, 1:])
    tensor([1., 0.])
    """
    Q_A, Q_B = torch.linalg.qr(A).Q, torch.linalg.qr(B).Q
    return torch.linalg.svdvals(Q_A.T @ Q_B)


def project_out(
    x: Float[Tensor, "*pos d_model"], subspace: Float[Tensor, "d_model k"]
) -> Float[Tensor, "*pos d_model"]:
    """Remove from ``x`` its projection on the column space of ``subspace``.

    x - x Q Qᵀ  for an orthonormal basis Q.

    >>> project_out(torch.tensor([2.0, 3.0]), torch.tensor([[1.0], [0.0]]))
    tensor([0., 3.])
    """
    Q = torch.linalg.qr(subspace).Q
    return x - x @ Q @ Q.T


def rotate(weights: dict[str, Tensor], R: Float[Tensor, "d_model d_model"]) -> dict[str, Tensor]:
    """Weights of the same model in another basis: the stream x becomes x R, the logits stay.

    Matrices that write to the stream (``W_E W_pos W_O``) are multiplied by R from the right, those
    that read from it (``W_Q W_K W_V W_U``) by Rᵀ from the left.

    >>> weights = {f"W_{name}": torch.eye(2) for name in ("E", "pos", "Q", "K", "V", "O", "U")}
    >>> rotate(weights, R=torch.eye(2).flip(0))["W_U"]
    tensor([[0., 1.],
            [1., 0.]])
    """
    writes = {name: weights[name] @ R for name in ("W_E", "W_pos", "W_O")}
    return writes | {name: R.T @ weights[name] for name in ("W_Q", "W_K", "W_V", "W_U")}


def virtual_weights(
    W_O: Float[Tensor, "sender d_head d_model"], W_in: Float[Tensor, "receiver d_model d_head_in"]
) -> Float[Tensor, "sender receiver d_head d_head_in"]:
    """Virtual weights  W_O W_in  from each sender's z to a query, key or value of each receiver.

    >>> virtual_weights(torch.ones(2, 1, 3), torch.ones(4, 3, 1)).shape
    torch.Size([2, 4, 1, 1])
    """
    return einsum(W_O, W_in, "sender d_head d_model, receiver d_model d_in -> sender receiver d_head d_in")


def direct_logit_attribution(
    components: Float[Tensor, "component d_model"], W_U: Float[Tensor, "d_model d_vocab"], token: int
) -> Float[Tensor, " component"]:
    """Contribution of each component of the final stream to one token's logit.

    They sum to the logit where there is no final LayerNorm.

    >>> direct_logit_attribution(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.ones(2, 3), token=2)
    tensor([1., 2.])
    """
    return components @ W_U[:, token]


def head_logit_attribution(
    head_outputs: Float[Tensor, "layer head prompt d_model"],
    scale: Float[Tensor, " prompt"],
    direction: Float[Tensor, "prompt d_model"],
) -> Float[Tensor, "layer head"]:
    """Contribution of each head along a direction of the unembedding, mean over prompts.

    The formula is  head output / scale · direction. The final LayerNorm (folded) divides each
    prompt's stream by ``scale``.

    >>> head_logit_attribution(torch.ones(1, 1, 2, 3), torch.tensor([1.0, 3.0]), torch.ones(2, 3))
    tensor([[2.]])
    """
    return einsum(
        head_outputs / scale[:, None],
        direction,
        "layer head prompt d_model, prompt d_model -> layer head prompt",
    ).mean(dim=-1)


def logit_lens_ranks(
    residuals: Float[Tensor, "layer d_model"], W_U: Float[Tensor, "d_model d_vocab"], token: int
) -> Float[Tensor, " layer"]:
    """Rank of a token by the logit lens after each layer: the number of tokens with a higher logit.

    >>> logit_lens_ranks(torch.tensor([[1.0, 2.0, 3.0], [9.0, 2.0, 3.0]]), torch.eye(3), token=0)
    tensor([2., 0.])
    """
    logits = residuals @ W_U
    return (logits > logits[:, [token]]).sum(dim=-1).float()


def cosine_and_norm_change(
    head_outputs: Float[Tensor, "head pos d_model"], content: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "head measure"]:
    """Mean cosine of each head's output with ``content``, and mean change of the norm by adding it.

    ``content`` is the stream, or a component of it, where the head writes. With a cosine near -1
    the head deletes it (Elhage et al. 2021: "memory management"). For unrelated directions the
    cosine is 0 ± 1/√d_model.

    >>> cosine_and_norm_change(torch.tensor([[[-1.0, 0.0]]]), torch.tensor([[3.0, 0.0]]))
    tensor([[-1., -1.]])
    """
    cosine = torch.cosine_similarity(head_outputs, content, dim=-1).mean(dim=-1)
    change = ((content + head_outputs).norm(dim=-1) - content.norm(dim=-1)).mean(dim=-1)
    return torch.stack([cosine, change], dim=-1)
