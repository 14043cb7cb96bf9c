"""QK and OV circuits: properties of a head that its weights alone show (Elhage et al. 2021).

The QK circuit ``W_Q W_Kᵀ`` is a bilinear form on two rows of the residual stream: it scores how
much one position attends to another. The OV circuit ``W_V W_O`` is a linear map: it gives what the
head writes when it attends to a position. Both are products of two thin matrices and never need to
be multiplied out. https://transformer-circuits.pub/2021/framework/index.html
"""

import torch
from einops import einsum, repeat
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import FactoredMatrix
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Rotary, per_query_head


def soft_read(
    address: Float[Tensor, "query key"], memory: Float[Tensor, "key d_model"]
) -> Float[Tensor, "query d_model"]:
    """Sum of the rows of ``memory``, weighted by each query's row of ``address``.

    A row with a single 1 and zeros elsewhere copies one row of memory.

    >>> soft_read(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.]])
    """
    return address @ memory


def attention_scores(
    queries_in: Float[Tensor, "query d_model"],
    keys_in: Float[Tensor, "key d_model"],
    W_Q: Float[Tensor, "head d_model d_head"],
    W_K: Float[Tensor, "head d_model d_head"],
) -> Float[Tensor, "head query key"]:
    """Attention scores of every head before mask and softmax,  x W_Q W_Kᵀ xᵀ / √d_head.

    >>> x, W = torch.eye(2), torch.ones(1, 2, 4)
    >>> attention_scores(x[:1], x, W, W)
    tensor([[[2., 2.]]])
    """
    q = einsum(queries_in, W_Q, "query d_model, head d_model d_head -> head query d_head")
    k = einsum(keys_in, W_K, "key d_model, head d_model d_head -> head key d_head")
    return einsum(q, k, "head query d_head, head key d_head -> head query key") / W_Q.shape[-1] ** 0.5


def scores_by_distance(
    queries_in: Float[Tensor, "pair d_model"],
    keys_in: Float[Tensor, "pair d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
    rotary: Rotary,
) -> Float[Tensor, "distance pair"]:
    """Attention scores  x W_Q R(Δ) W_Kᵀ yᵀ / √d_head  of pairs of rows, at every distance Δ.

    The query x stands Δ positions after the key y. R(Δ) rotates by the angles of a rotary embedding
    (Su et al. 2021, "RoFormer"), one distance per position of ``rotary``; the rows are normalized,
    as the head reads them. Biases of queries and keys, and norms of them, are not in the formula.

    >>> x, W = torch.eye(2)[:1], torch.eye(2)
    >>> half_turns = torch.pi * torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    >>> rotary = Rotary(half_turns.cos(), half_turns.sin())
    >>> (scores_by_distance(x, x, W, W, rotary) * 2**0.5).round()
    tensor([[ 1.],
            [-1.]])
    """
    n_distances = len(rotary.cos)
    q = repeat(queries_in @ W_Q, "pair d_head -> pair distance 1 d_head", distance=n_distances)
    k = rotary.rotate((keys_in @ W_K)[:, None, None], 0)  # at position 0
    scores = einsum(rotary.rotate(q, 0), k, "pair distance i d_head, pair i j d_head -> distance pair")
    return scores / W_Q.shape[-1] ** 0.5


def singular_values(
    A: Float[Tensor, "rows d_head"], B: Float[Tensor, "d_head columns"]
) -> Float[Tensor, " d_head"]:
    """Singular values of  A B, descending, without forming the product: at most d_head are not 0.

    With A = Q R and Bᵀ = P S (QR decompositions) they are those of the small matrix  R Sᵀ.

    >>> singular_values(3 * torch.eye(9)[:, :2], torch.eye(9)[:2])
    tensor([3., 3.])
    """
    return torch.linalg.svdvals(torch.linalg.qr(A).R @ torch.linalg.qr(B.T).R.T)


def head_output(
    pattern: Float[Tensor, "query key"],
    x: Float[Tensor, "key d_model"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
) -> Float[Tensor, "query d_model"]:
    """Output of one head,  A x W_V W_O.

    The pattern A mixes positions and the OV circuit maps directions, so the order of the two does
    not matter.

    >>> x, I = torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.eye(2)
    >>> head_output(torch.tensor([[0.5, 0.5]]), x, I, I)
    tensor([[1., 2.]])
    """
    return pattern @ (x @ W_V) @ W_O


def bigram_table(tokens: Int[Tensor, " pos"], d_vocab: int) -> Float[Tensor, "first second"]:
    """Frequency of each second token after each first one, 0 where nothing follows it.

    >>> bigram_table(torch.tensor([0, 1, 0, 2]), d_vocab=3)[0]
    tensor([0.0000, 0.5000, 0.5000])
    """
    counts = torch.zeros(d_vocab, d_vocab, device=tokens.device)
    counts.index_put_((tokens[:-1], tokens[1:]), torch.ones_like(counts[0, 0]), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


def full_OV(model: TransformerBridge, layer: int, head: int) -> FactoredMatrix:
    """Full OV circuit  W_E W_V W_O W_U  of one head, ``[d_vocab, d_vocab]``, as a low-rank product.

    Row: the token attended to. Column: the token whose logit it changes. ``head`` is a query head.

    >>> from helpers.models import load_model
    >>> full_OV(load_model("attn-only-1l"), layer=0, head=3).shape
    torch.Size([3072, 3072])
    """
    W_V = per_query_head(model.W_V[[layer]], model.cfg.n_heads)[0, head]
    return FactoredMatrix(model.W_E @ W_V, model.W_O[layer, head] @ model.W_U)


def effective_OV(
    W_V: Float[Tensor, "head d_model d_head"], W_O: Float[Tensor, "head d_head d_model"]
) -> Float[Tensor, "d_model d_model"]:
    """Joint OV circuit of several heads that attend to the same token,  Σ_h W_V[h] W_O[h].

    >>> effective_OV(torch.ones(3, 1, 2), torch.ones(3, 2, 1))
    tensor([[6.]])
    """
    return einsum(W_V, W_O, "head d_in d_head, head d_head d_out -> d_in d_out")


def k_composition_circuit(
    W_E: Float[Tensor, "d_vocab d_model"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> tuple[Float[Tensor, "query d_head"], Float[Tensor, "d_head previous"]]:
    """Two thin factors of the K-composition circuit  W_E W_Q (W_E W_V W_O W_K)ᵀ  of two heads.

    ``W_V W_O`` belong to the earlier head, ``W_Q W_K`` to the later one. Row: the query's token.
    Column: the token before the key, whose embedding the earlier head wrote at the key (Elhage et
    al. 2021, "How Induction Heads Work"). Without 1/√d_head: only the order within a row matters.

    >>> queries, previous = k_composition_circuit(*5 * [torch.eye(2)])
    >>> torch.equal(queries @ previous, torch.eye(2))
    True
    """
    return W_E @ W_Q, (W_E @ W_V @ W_O @ W_K).T


def copying_accuracy(
    A: Float[Tensor, "d_vocab d_head"], B: Float[Tensor, "d_head d_vocab"], k: int = 1
) -> Float[Tensor, ""]:
    """Fraction of tokens t for which entry t is among the ``k`` highest of row t of  A B.

    For a full OV circuit: the tokens that are among the ``k`` whose logits they raise most. Random
    matrices score about k / d_vocab. Works through the rows in blocks, so that the whole
    ``[d_vocab, d_vocab]`` matrix never exists.

    >>> copying_accuracy(torch.eye(3), torch.eye(3))
    tensor(1.)
    """
    hits = []
    for start in range(0, len(A), 512):
        rows = A[start : start + 512] @ B
        own = rows.diagonal(offset=start)
        hits.append((rows > own[:, None]).sum(dim=1, dtype=torch.int32) < k)
    return torch.cat(hits).float().mean()


def eigenvalue_copying_score(
    A: Float[Tensor, "d_vocab d_head"], B: Float[Tensor, "d_head d_vocab"]
) -> Float[Tensor, ""]:
    """Copying score  Σ Re λ / Σ |λ|  over the eigenvalues λ of  A B, between -1 and 1.

    1 when all are real and positive: mixtures of tokens raise their own logits. About 0 for random
    matrices. The eigenvalues of  A B  are those of the small matrix  B A, and zeros (Elhage et al.
    2021, "Copying").

    >>> eigenvalue_copying_score(torch.eye(3), -torch.eye(3))
    tensor(-1.)
    """
    eigenvalues = torch.linalg.eigvals(B @ A)
    return eigenvalues.real.sum() / eigenvalues.abs().sum()


def previous_position_weight(
    W_pos: Float[Tensor, "pos d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, ""]:
    """Mean attention to the previous position when queries and keys are positional embeddings only.

    Softmax is over the positions up to the query's, the mean over all queries but the first.

    >>> previous_position_weight(torch.eye(4), 99 * torch.eye(4).roll(-1, dims=1), torch.eye(4))
    tensor(1.)
    """
    scores = W_pos @ W_Q @ (W_pos @ W_K).T / W_Q.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1).diagonal(-1).mean()


def scores_by_component(
    query_components: Float[Tensor, "query_component query d_model"],
    key_components: Float[Tensor, "key_component key d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, "query_component key_component query key"]:
    """Attention scores split by the component that the query reads and the one that the key reads.

    Summed over both component axes they are the scores. Each entry is divided by √d_head: without
    that the sum is not what the softmax receives.

    >>> components, W = torch.ones(2, 1, 4), torch.eye(4)
    >>> scores_by_component(components, components, W, W).sum()
    tensor(8.)
    """
    q, k = query_components @ W_Q, key_components @ W_K
    return einsum(q, k, "i query d_head, j key d_head -> i j query key") / W_Q.shape[-1] ** 0.5


def skip_trigrams(
    QK: Float[Tensor, "destination source"], OV: Float[Tensor, "source out"]
) -> Float[Tensor, "destination source out"]:
    """Change of the logit of ``out`` at ``destination`` due to an earlier ``source``.

    The formula is  softmax_source(QK) · OV: a factor without ``out`` times a factor without
    ``destination``. So a head cannot raise c after (a … b) and d after (a … b′) without raising c
    after (a … b′) as well (Elhage et al. 2021, "Skip-trigram bugs").

    >>> skip_trigrams(torch.zeros(1, 2), torch.tensor([[2.0], [4.0]])).flatten()
    tensor([1., 2.])
    """
    return QK.softmax(dim=-1)[:, :, None] * OV[None]
