"""Composition scores: which head could read what an earlier head writes, judged from weights alone.

A is a matrix that writes to the residual stream (``W_E``, ``W_pos`` or ``W_V W_O`` of an earlier
head), B a matrix that reads from it at a port of a later head (q: ``W_Q W_Kᵀ``, k: ``W_K W_Qᵀ``,
v: ``W_V W_O``). Their score is  ‖A B‖ / (‖A‖ ‖B‖), Frobenius norms. Unrelated random matrices score
about 1/√d_model. A higher score shows overlap of subspaces, not that the later head uses what it
reads (Elhage et al. 2021, https://transformer-circuits.pub/2021/framework/index.html).
"""

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Port, check_port, head_weights


def composition_score(
    W_A: Float[Tensor, "d_in d_model"], W_B: Float[Tensor, "d_model d_out"]
) -> Float[Tensor, ""]:
    """Frobenius composition score  ‖W_A W_B‖ / (‖W_A‖ ‖W_B‖), between 0 and 1.

    Random, unrelated matrices score about 1/√d_model (Elhage et al. 2021, "Term importance").

    >>> composition_score(torch.eye(4), torch.eye(4))
    tensor(0.5000)
    """
    return (W_A @ W_B).norm() / (W_A.norm() * W_B.norm())


def composition_scores(
    model: TransformerBridge, port: Port | str
) -> Float[Tensor, "layer1 head1 layer2 head2"]:
    """Composition scores of all pairs of heads; 0 where the receiver is not in a later layer.

    The sender is head1 of layer1, the receiver head2 of layer2; both are query heads. With Cholesky
    factors L, L′ of small Gram matrices, ‖W_V W_O W_in W_out‖ = ‖(Lᵀ W_O)(W_in L′)‖: one product of
    the sender's [d_head, d_model] and the receiver's [d_model, d_head] matrix, for all heads of a
    layer at once.

    >>> from helpers.models import load_model
    >>> composition_scores(load_model("attn-only-2l"), "k").shape
    torch.Size([2, 6, 2, 6])
    """
    _, _, W_V, W_O = head_weights(model)
    senders = _root(W_V.mT @ W_V).mT @ W_O  # [layer head d_head d_model], the norm of W_V W_O
    senders = senders / senders.norm(dim=(-2, -1), keepdim=True)
    receivers = thin_readers(model, port)
    layers, heads, d_head, _ = senders.shape
    scores = torch.zeros(layers, heads, layers, heads, device=senders.device)
    for layer in range(1, layers):
        earlier = rearrange(senders[:layer], "layer head h d_model -> (layer head h) d_model")
        products = earlier @ rearrange(receivers[layer], "head d_model h -> d_model (head h)")
        blocks = products.view(layer, heads, d_head, heads, d_head)
        scores[:layer, :, layer] = blocks.square().sum(dim=(2, 4)).sqrt()
    return scores


def thin_readers(model: TransformerBridge, port: Port | str) -> Float[Tensor, "layer head d_model d_head"]:
    """Thin matrices that stand for the reading matrices of one port of all query heads.

    For a matrix A of norm 1 the norm of  A @ thin  is the composition score of A with that port.

    >>> from helpers.models import load_model
    >>> thin_readers(load_model("attn-only-1l"), "q").norm(dim=(-2, -1)).round()
    tensor([[1., 1., 1., 1., 1., 1.]])
    """
    check_port(port)
    W_Q, W_K, W_V, W_O = head_weights(model)
    W_in, W_out = {"q": (W_Q, W_K.mT), "k": (W_K, W_Q.mT), "v": (W_V, W_O)}[port]
    readers = W_in @ _root(W_out @ W_out.mT)  # the norm of W_in W_out
    return readers / readers.norm(dim=(-2, -1), keepdim=True)


def _root(gram: Float[Tensor, "*head d_head d_head"]) -> Float[Tensor, "*head d_head d_head"]:
    """L with  L Lᵀ = gram, from eigenvalues, so that ``gram`` need not have full rank."""
    values, vectors = torch.linalg.eigh(gram)
    return vectors * values.clamp(min=0).sqrt()[..., None, :]


def factored_score(
    A_in: Float[Tensor, "d_model a"],
    A_out: Float[Tensor, "a d_model"],
    B_in: Float[Tensor, "d_model b"],
    B_out: Float[Tensor, "b d_model"],
) -> Float[Tensor, ""]:
    """Composition score of  A = A_in A_out  and  B = B_in B_out  without forming either product.

    ‖A_in M B_out‖² = tr(A_inᵀ A_in · M · B_out B_outᵀ · Mᵀ)  with the small  M = A_out B_in.

    >>> column = torch.ones(4, 1)
    >>> factored_score(column, column.T, column, column.T)
    tensor(1.)
    """
    gram_A, gram_B = A_in.T @ A_in, B_out @ B_out.T
    M = A_out @ B_in
    product = (gram_A @ M @ gram_B @ M.T).trace()
    norms = (gram_A @ A_out @ A_out.T).trace() * (gram_B @ B_in.T @ B_in).trace()
    return (product / norms).sqrt()


def random_scores(
    d_model: int, d_head: int, samples: int, generator: torch.Generator
) -> Float[Tensor, " sample"]:
    """Composition scores of pairs of unrelated random circuits of rank ``d_head``.

    A circuit is a product of two Gaussian matrices. The mean of the squared scores is 1/d_model.

    >>> generator = torch.Generator().manual_seed(0)
    >>> scores = random_scores(64, d_head=4, samples=500, generator=generator)
    >>> round(64 * scores.square().mean().item(), 1)
    1.0
    """
    factors = [
        torch.randn(samples, *size, generator=generator)
        for size in 2 * [(d_model, d_head), (d_head, d_model)]
    ]
    return torch.stack([factored_score(*pair) for pair in zip(*factors)])


def reading_matrix(
    port: Port | str,
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
) -> Float[Tensor, "d_model d_model"]:
    """Matrix by which a head's port multiplies the stream: q: W_Q W_Kᵀ, k: W_K W_Qᵀ, v: W_V W_O.

    Raises ``ValueError`` for another port.

    >>> reading_matrix("v", *4 * [2 * torch.eye(1)])
    tensor([[4.]])
    """
    check_port(port)
    return {"q": W_Q @ W_K.T, "k": W_K @ W_Q.T, "v": W_V @ W_O}[port]


def pair_scores(
    W_OV: Float[Tensor, "sender d_model d_model"], reads: Float[Tensor, "receiver d_model d_model"]
) -> Float[Tensor, "sender receiver"]:
    """Composition score of every sender's  W_V W_O  with every receiver's reading matrix.

    >>> pair_scores(torch.eye(4).repeat(2, 1, 1), torch.eye(4)[None]).T
    tensor([[0.5000, 0.5000]])
    """
    products = einsum(W_OV, reads, "sender i m, receiver m j -> sender receiver i j")
    return products.norm(dim=(-2, -1)) / (W_OV.norm(dim=(-2, -1))[:, None] * reads.norm(dim=(-2, -1)))


def port_scores(
    source: Float[Tensor, "row d_model"],
    W_Q: Float[Tensor, "head d_model d_head"],
    W_K: Float[Tensor, "head d_model d_head"],
    W_V: Float[Tensor, "head d_model d_head"],
    W_O: Float[Tensor, "head d_head d_model"],
) -> Float[Tensor, "port head"]:
    """Composition score of a source (W_E, W_pos) with the q, k and v port of every head of a layer.

    The norms depend on the source only by sourceᵀ source, so the R of its QR decomposition can
    stand for its many rows.

    >>> port_scores(torch.ones(9, 4), *4 * [torch.eye(4)[None]]).T
    tensor([[0.5000, 0.5000, 0.5000]])
    """
    R = torch.linalg.qr(source, mode="r").R
    heads = list(zip(W_Q, W_K, W_V, W_O))
    return torch.stack(
        [
            torch.stack([composition_score(R, reading_matrix(port, *weights)) for weights in heads])
            for port in PORTS
        ]
    )


def control_scores(
    W_A: Float[Tensor, "d_in d_model"],
    W_B: Float[Tensor, "d_model d_out"],
    R: Float[Tensor, "d_model d_model"],
) -> Float[Tensor, " control"]:
    """Composition scores of W_B with W_A, 3 W_A, -W_A, W_A with reversed output axes, and W_A R.

    The first three are equal. With a random rotation R the last one is about 1/√d_model.

    >>> A = torch.tensor([[1.0, 0.0]])
    >>> control_scores(A, A.T, torch.eye(2))
    tensor([1., 1., 1., 0., 1.])
    """
    changed = (W_A, 3 * W_A, -W_A, W_A.flip(-1), W_A @ R)
    return torch.stack([composition_score(matrix, W_B) for matrix in changed])


def alignment(
    W_A: Float[Tensor, "d_in d_model"], W_B: Float[Tensor, "d_model d_out"]
) -> Float[Tensor, "output input"]:
    """Contribution of each pair (output direction of A, input direction of B) to the squared score.

    With A = Σ σ_i u_i v_iᵀ and B = Σ τ_j w_j z_jᵀ  the entries are
    σ_i² τ_j² (v_i · w_j)² / (Σ σ² Σ τ²), largest σ and τ first. They sum to the square of the
    composition score.

    >>> alignment(torch.eye(4), torch.eye(4)).sum()
    tensor(0.2500)
    """
    A, B = torch.linalg.svd(W_A, full_matrices=False), torch.linalg.svd(W_B, full_matrices=False)
    cosines = A.Vh @ B.U
    return A.S[:, None] ** 2 * cosines**2 * B.S**2 / ((A.S**2).sum() * (B.S**2).sum())
