"""Composition (subspace) scores: whose store does a later head read, judged from weights (Elhage et al. 2021).

For a writer A (what is stored: ``W_E``, ``W_pos``, or ``W_V W_O`` of an earlier head) and a reader B (``W_Q W_Kᵀ`` by its
query side, ``W_K W_Qᵀ`` by its key side, ``W_V W_O``) the score is  ‖A B‖ / (‖A‖ ‖B‖) , Frobenius norms. Two unrelated
random matrices score about 1/√d_model: only what lies well above that speaks of a connection, and even that is not a cause.
"""

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Port, check_port


def composition_score(
    W_A: Float[Tensor, "d_in d_model"], W_B: Float[Tensor, "d_model d_out"]
) -> Float[Tensor, ""]:
    """Frobenius composition score  ‖W_A W_B‖ / (‖W_A‖ ‖W_B‖), between 0 and 1.

    Random, unrelated matrices score about 1/√d_model (Elhage et al. 2021, "Term importance").

    >>> composition_score(torch.eye(4), torch.eye(4))
    tensor(0.5000)
    """
    return (W_A @ W_B).norm() / (W_A.norm() * W_B.norm())


def factored_score(
    A_in: Float[Tensor, "d_model a"],
    A_out: Float[Tensor, "a d_model"],
    B_in: Float[Tensor, "d_model b"],
    B_out: Float[Tensor, "b d_model"],
) -> Float[Tensor, ""]:
    """The score of  A = A_in A_out  and  B = B_in B_out  without forming a d_model × d_model matrix.

    ‖A_in M B_out‖² = tr(A_inᵀ A_in · M · B_out B_outᵀ · Mᵀ)  with the small  M = A_out B_in .
    """
    gram_A, gram_B = A_in.T @ A_in, B_out @ B_out.T
    M = A_out @ B_in
    product = (gram_A @ M @ gram_B @ M.T).trace()
    norms = (gram_A @ A_out @ A_out.T).trace() * (gram_B @ B_in.T @ B_in).trace()
    return (product / norms).sqrt()


def random_scores(
    d_model: int, d_head: int, samples: int, generator: torch.Generator
) -> Float[Tensor, " sample"]:
    """Scores of pairs of unrelated random circuits of rank d_head; the mean of their squares is 1/d_model."""
    factors = [
        torch.randn(samples, *size, generator=generator)
        for size in 2 * [(d_model, d_head), (d_head, d_model)]
    ]
    return torch.stack([factored_score(*pair) for pair in zip(*factors)])


def pair_scores(
    W_OV: Float[Tensor, "writer d_model d_model"], reads: Float[Tensor, "reader d_model d_model"]
) -> Float[Tensor, "writer reader"]:
    """The score of every writer with every reader."""
    products = einsum(W_OV, reads, "writer i m, reader m j -> writer reader i j")
    return products.norm(dim=(-2, -1)) / (W_OV.norm(dim=(-2, -1))[:, None] * reads.norm(dim=(-2, -1)))


def reading_matrix(
    port: Port,
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
) -> Float[Tensor, "d_model d_model"]:
    """The matrix by which a head's port multiplies the stream: q: W_Q W_Kᵀ, k: W_K W_Qᵀ, v: W_V W_O."""
    check_port(port)
    return {"q": W_Q @ W_K.T, "k": W_K @ W_Q.T, "v": W_V @ W_O}[port]


def port_scores(
    source: Float[Tensor, "row d_model"],
    W_Q: Float[Tensor, "head d_model d_head"],
    W_K: Float[Tensor, "head d_model d_head"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
) -> Float[Tensor, "port head"]:
    """The score of a source (W_E, W_pos) with the Q, K and V port of every head of a layer.

    Of the source only sourceᵀ source matters to a norm, so its many rows shrink to the R of its QR decomposition.
    """
    R = torch.linalg.qr(source, mode="r").R
    heads = list(zip(W_Q, W_K, W_V, W_O))
    return torch.stack(
        [
            torch.stack([composition_score(R, reading_matrix(port, *weights)) for weights in heads])
            for port in PORTS
        ]
    )


def alignment(
    W_A: Float[Tensor, "d_in d_model"], W_B: Float[Tensor, "d_model d_out"]
) -> Float[Tensor, "output input"]:
    """How much each output direction of A meets each input direction of B; the sum is the score squared.

    With A = Σ σ_i u_i v_iᵀ and B = Σ τ_j w_j z_jᵀ  the entries are  σ_i² τ_j² (v_i · w_j)² / (Σ σ² Σ τ²).
    """
    A, B = torch.linalg.svd(W_A, full_matrices=False), torch.linalg.svd(W_B, full_matrices=False)
    cosines = A.Vh @ B.U
    return A.S[:, None] ** 2 * cosines**2 * B.S**2 / ((A.S**2).sum() * (B.S**2).sum())


def control_scores(
    W_A: Float[Tensor, "d_in d_model"],
    W_B: Float[Tensor, "d_model d_out"],
    R: Float[Tensor, "d_model d_model"],
) -> Float[Tensor, " control"]:
    """The score of A as it is, three times as large, negated, with its output axes reversed, and rotated by R."""
    writers = (W_A, 3 * W_A, -W_A, W_A.flip(-1), W_A @ R)
    return torch.stack([composition_score(writer, W_B) for writer in writers])


def composition_scores(model: TransformerBridge, port: Port) -> Float[Tensor, "layer1 head1 layer2 head2"]:
    """All scores of a model, 0 where the reader is not in a later layer than the writer.

    With Cholesky factors of the small Gram matrices, ‖W_V W_O W_in W_out‖ = ‖(Lᵀ W_O)(W_in L′)‖: one product of a
    writer's [d_head, d_model] and a reader's [d_model, d_head] matrix, and all heads of a layer at once.
    """
    check_port(port)
    W_Q, W_K, W_V, W_O = model.W_Q, model.W_K, model.W_V, model.W_O
    enter, leave = {"q": (W_Q, W_K.mT), "k": (W_K, W_Q.mT), "v": (W_V, W_O)}[port]
    writers = _root(W_V.mT @ W_V).mT @ W_O  # [layer head d_head d_model], the norm of W_V W_O
    readers = enter @ _root(leave @ leave.mT)  # [layer head d_model d_head], the norm of W_in W_out
    writers = writers / writers.norm(dim=(-2, -1), keepdim=True)
    readers = readers / readers.norm(dim=(-2, -1), keepdim=True)
    layers, heads, d_head = W_Q.shape[0], W_Q.shape[1], W_Q.shape[3]
    scores = torch.zeros(layers, heads, layers, heads, device=W_Q.device)
    for layer in range(1, layers):
        earlier = rearrange(writers[:layer], "layer head h d_model -> (layer head h) d_model")
        products = earlier @ rearrange(readers[layer], "head d_model h -> d_model (head h)")
        blocks = products.view(layer, heads, d_head, heads, d_head)
        scores[:layer, :, layer] = blocks.square().sum(dim=(2, 4)).sqrt()
    return scores


def _root(gram: Float[Tensor, "*head d_head d_head"]) -> Float[Tensor, "*head d_head d_head"]:
    """L with  L Lᵀ = gram , by eigenvalues, so that a gram matrix without full rank will do."""
    values, vectors = torch.linalg.eigh(gram)
    return vectors * values.clamp(min=0).sqrt()[..., None, :]
