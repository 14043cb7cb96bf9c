"""The residual stream as shared memory: what is stored in it, how much room it takes, who writes over whom.

The stream at the end is a sum of stores: the embedding, and what every head of every layer added (Elhage et al. 2021,
"Virtual weights and the residual stream as a communication channel"). Its axes mean nothing by themselves: any rotation
of the whole model computes the same, so everything here is about directions and subspaces.
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
    """What each head adds to the residual stream,  z W_O.

    With the embedding (and, in a model that stores them, positions, MLP outputs and biases) the stores sum to the stream.
    """
    return einsum(z, W_O, "layer pos head d_head, layer head d_head d_model -> layer head pos d_model")


def decompose(
    model: TransformerBridge, cache: ActivationCache
) -> tuple[Float[Tensor, "component pos d_model"], list[Component]]:
    """Everything that was stored in the residual stream of the first sequence, with names; the parts sum to its end.

    Embedding, positions where the model stores them, each head as "layer.head", each MLP as "mlp layer", biases.
    """
    parts, names = [cache["hook_embed"][0]], [Component("embedding")]
    if model.cfg.n_layers and not torch.equal(cache["blocks.0.hook_resid_pre"], cache["hook_embed"]):
        parts.append(cache["hook_pos_embed"][0])
        names.append(Component("position"))
    for layer in range(model.cfg.n_layers):
        heads = head_outputs(cache[f"blocks.{layer}.attn.hook_z"], model.W_O[[layer]])[0]
        parts += list(heads)
        names += [Component("head", layer, head) for head in range(len(heads))]
        bias = cache[f"blocks.{layer}.hook_attn_out"][0] - heads.sum(dim=0)
        if bias.abs().max() > 1e-3:
            parts.append(bias)
            names.append(Component("bias", layer))
        if not model.cfg.attn_only:
            parts.append(cache[f"blocks.{layer}.hook_mlp_out"][0])
            names.append(Component("mlp", layer))
    return torch.stack(parts), names


def components_read(
    model: TransformerBridge, cache: ActivationCache, layer: int
) -> tuple[Float[Tensor, "component pos d_model"], list[Component]]:
    """What the queries and keys of a layer read, as parts with names: everything stored before it, and the positions.

    Divided by the scale of the layer's LayerNorm where there is one, so that the parts sum to what is read.
    """
    parts, names = decompose(model, cache)
    earlier = [name.layer is None or name.layer < layer for name in names]
    parts, names = parts[torch.tensor(earlier)], [name for name, kept in zip(names, earlier) if kept]
    if Component("position") not in names:
        parts, names = torch.cat([parts, cache["hook_pos_embed"][:1]]), [*names, Component("position")]
    scale = f"blocks.{layer}.ln1.hook_scale"
    return (parts / cache[scale][0] if scale in cache else parts), names


def spectrum(vectors: Float[Tensor, "row d_model"]) -> Float[Tensor, " direction"]:
    """Variances along the principal directions of the rows, descending; their sum is the total variance.

    The eigenvalues of the covariance matrix (centred, divisor rows - 1), by the singular values of the centred rows.

    >>> spectrum(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])).round(decimals=3)
    tensor([1., 0.])
    """
    centred = vectors - vectors.mean(dim=0)
    return torch.linalg.svdvals(centred) ** 2 / (len(vectors) - 1)


def dimensions(spectrum: Float[Tensor, " direction"], share: float = 0.8) -> tuple[int, float]:
    """How many directions a spectrum takes: the fewest that hold ``share`` of the variance, and the participation ratio.

    Participation ratio  (Σ λ)² / Σ λ² : n when n directions share the variance equally.

    >>> dimensions(torch.tensor([4.0, 4.0, 1.0, 1.0]))
    (2, 2.9411764...)
    """
    held = spectrum.cumsum(dim=0) / spectrum.sum()
    ratio = spectrum.sum() ** 2 / (spectrum**2).sum()
    return min(int((held < share).sum()) + 1, len(spectrum)), ratio.item()


def held_out_fraction(
    fitted: Float[Tensor, "row d_model"], other: Float[Tensor, "other_row d_model"], k: int
) -> Float[Tensor, ""]:
    """Share of the summed squares of ``other`` that lies in the first ``k`` principal directions of ``fitted``.

    Both are centred by the mean of ``fitted``: 1 when the directions found on some vectors describe others as well.
    """
    mean = fitted.mean(dim=0)
    directions = torch.linalg.svd(fitted - mean, full_matrices=False).Vh[:k]
    centred = other - mean
    return (centred @ directions.T).square().sum() / centred.square().sum()


def principal_cosines(
    A: Float[Tensor, "d_model a"], B: Float[Tensor, "d_model b"]
) -> Float[Tensor, " min_a_b"]:
    """Cosines of the principal angles between the column spaces of A and B, descending.

    The singular values of  Q_Aᵀ Q_B  for orthonormal bases Q (Björck and Golub 1973). 1: a shared direction, 0: none.
    Two random subspaces have mean squared cosine  max(a, b) / d_model.
    """
    Q_A, Q_B = torch.linalg.qr(A).Q, torch.linalg.qr(B).Q
    return torch.linalg.svdvals(Q_A.T @ Q_B)


def project_out(
    x: Float[Tensor, "*pos d_model"], subspace: Float[Tensor, "d_model k"]
) -> Float[Tensor, "*pos d_model"]:
    """X without its part in the column space of ``subspace``:  x - x Q Qᵀ  for an orthonormal basis Q."""
    Q = torch.linalg.qr(subspace).Q
    return x - x @ Q @ Q.T


def rotate(weights: dict[str, Tensor], R: Float[Tensor, "d_model d_model"]) -> dict[str, Tensor]:
    """The weights of the same model in another basis: the residual stream x becomes x R, the logits stay.

    What writes to the stream (``W_E W_pos W_O``) is multiplied by R, what reads it (``W_Q W_K W_V W_U``) by Rᵀ.
    """
    writers = {name: weights[name] @ R for name in ("W_E", "W_pos", "W_O")}
    return writers | {name: R.T @ weights[name] for name in ("W_Q", "W_K", "W_V", "W_U")}


def virtual_weights(
    W_O: Float[Tensor, "writer d_head d_model"], W_in: Float[Tensor, "reader d_model d_head_in"]
) -> Float[Tensor, "writer reader d_head d_head_in"]:
    """How what a head writes reaches what a later head reads:  W_O W_in, for every pair of a writer and a reader."""
    return einsum(W_O, W_in, "writer d_head d_model, reader d_model d_in -> writer reader d_head d_in")


def direct_logit_attribution(
    parts: Float[Tensor, "component d_model"], W_U: Float[Tensor, "d_model d_vocab"], token: int
) -> Float[Tensor, " component"]:
    """What each part of the final residual stream adds to one token's logit; the sum over the parts is the logit."""
    return parts @ W_U[:, token]


def head_logit_attribution(
    stores: Float[Tensor, "layer head prompt d_model"],
    scale: Float[Tensor, " prompt"],
    direction: Float[Tensor, "prompt d_model"],
) -> Float[Tensor, "layer head"]:
    """What each head's store adds along a direction of the unembedding, mean over prompts:  store / scale · direction .

    ``scale`` is what the final LayerNorm (folded) divides each prompt's stream by.
    """
    return einsum(
        stores / scale[:, None], direction, "layer head prompt d_model, prompt d_model -> layer head prompt"
    ).mean(dim=-1)


def logit_lens_ranks(
    residuals: Float[Tensor, "layer d_model"], W_U: Float[Tensor, "d_model d_vocab"], token: int
) -> Float[Tensor, " layer"]:
    """Rank of a token when the stream is read out after each layer: how many tokens have a higher logit; 0 is the first."""
    logits = residuals @ W_U
    return (logits > logits[:, [token]]).sum(dim=-1).float()


def cosine_and_norm_change(
    stores: Float[Tensor, "head pos d_model"], content: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "head measure"]:
    """For each head, the mean cosine of its store with what is there, and the mean change of the norm by adding it.

    A cosine near -1 is a head that deletes (Elhage et al. 2021 call it memory management).
    """
    cosine = torch.cosine_similarity(stores, content, dim=-1).mean(dim=-1)
    change = ((content + stores).norm(dim=-1) - content.norm(dim=-1)).mean(dim=-1)
    return torch.stack([cosine, change], dim=-1)
