"""QK and OV circuits: what a head's weights alone say, before any text is read (Elhage et al. 2021).

The QK circuit ``W_Q W_Kᵀ`` is a bilinear form on two rows of memory: who looks at whom. The OV circuit ``W_V W_O`` is a
linear map: what is carried when somebody looks. Both are products of two thin matrices and never need to be multiplied out.
"""

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens import FactoredMatrix
from transformer_lens.model_bridge import TransformerBridge


def soft_read(
    address: Float[Tensor, "query key"], memory: Float[Tensor, "key d_model"]
) -> Float[Tensor, "query d_model"]:
    """What each query loads: the rows of memory, weighted by its row of the address. A row of 0s and one 1 copies one row."""
    return address @ memory


def attention_scores(
    queries_in: Float[Tensor, "query d_model"],
    keys_in: Float[Tensor, "key d_model"],
    W_Q: Float[Tensor, "head d_model d_head"],
    W_K: Float[Tensor, "head d_model d_head"],
) -> Float[Tensor, "head query key"]:
    """Attention scores before mask and softmax,  x W_Q W_Kᵀ xᵀ / √d_head  for every head."""
    q = einsum(queries_in, W_Q, "query d_model, head d_model d_head -> head query d_head")
    k = einsum(keys_in, W_K, "key d_model, head d_model d_head -> head key d_head")
    return einsum(q, k, "head query d_head, head key d_head -> head query key") / W_Q.shape[-1] ** 0.5


def singular_values(
    A: Float[Tensor, "rows d_head"], B: Float[Tensor, "d_head columns"]
) -> Float[Tensor, " d_head"]:
    """Singular values of  A B , descending, without forming the product: at most d_head are not 0.

    With A = Q R and Bᵀ = P S (QR decompositions) they are those of the small matrix  R Sᵀ .
    """
    return torch.linalg.svdvals(torch.linalg.qr(A).R @ torch.linalg.qr(B.T).R.T)


def head_output(
    pattern: Float[Tensor, "query key"],
    x: Float[Tensor, "key d_model"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
) -> Float[Tensor, "query d_model"]:
    """What a head stores,  A x W_V W_O : attention mixes positions, OV maps directions, in either order."""
    return pattern @ (x @ W_V) @ W_O


def bigram_table(tokens: Int[Tensor, " pos"], d_vocab: int) -> Float[Tensor, "first second"]:
    """How often each token follows each other one, as a share of the first one's followers; 0 where the first never occurs."""
    counts = torch.zeros(d_vocab, d_vocab, device=tokens.device)
    counts.index_put_((tokens[:-1], tokens[1:]), torch.ones_like(counts[0, 0]), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


def full_OV(model: TransformerBridge, layer: int, head: int) -> FactoredMatrix:
    """The full OV circuit ``W_E W_V W_O W_U`` of one head, ``[d_vocab, d_vocab]``, kept as a low-rank product.

    Row = token attended to, column = token whose logit it moves.
    """
    return FactoredMatrix(model.W_E @ model.W_V[layer, head], model.W_O[layer, head] @ model.W_U)


def effective_OV(
    W_V: Float[Tensor, "head d_model d_head"], W_O: Float[Tensor, "head d_head d_model"]
) -> Float[Tensor, "d_model d_model"]:
    """What several heads that attend to the same token store of it together:  Σ_h W_V[h] W_O[h] ."""
    return einsum(W_V, W_O, "head d_in d_head, head d_head d_out -> d_in d_out")


def k_composition_circuit(
    W_E: Float[Tensor, "d_vocab d_model"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> tuple[Float[Tensor, "query d_head"], Float[Tensor, "d_head previous"]]:
    """The circuit  W_E W_Q (W_E W_V W_O W_K)ᵀ  as its two thin factors; W_V W_O the earlier head, W_Q W_K the later.

    Row = token that asks, column = token that stood *before* the key and was stored there by the earlier head (Elhage et
    al. 2021, "How Induction Heads Work"). Without 1/√d_head: only the order within a row matters.
    """
    return W_E @ W_Q, (W_E @ W_V @ W_O @ W_K).T


def copying_accuracy(
    A: Float[Tensor, "d_vocab d_head"], B: Float[Tensor, "d_head d_vocab"], k: int = 1
) -> Float[Tensor, ""]:
    """Share of tokens that are among the ``k`` they raise most:  row t of A B  has entry t among its k highest.

    Works through the rows in blocks, so that the whole [d_vocab, d_vocab] matrix never exists.
    """
    hits = []
    for start in range(0, len(A), 512):
        rows = A[start : start + 512] @ B
        own = rows.diagonal(offset=start)
        hits.append((rows > own[:, None]).sum(dim=1) < k)
    return torch.cat(hits).float().mean()


def eigenvalue_copying_score(
    A: Float[Tensor, "d_vocab d_head"], B: Float[Tensor, "d_head d_vocab"]
) -> Float[Tensor, ""]:
    """Σ Re λ / Σ |λ|  over the eigenvalues of  A B , from -1 to 1 (Elhage et al. 2021, "Copying").

    1 when all are real and positive: combinations of tokens raise themselves. Near 0 for random weights. The
    eigenvalues of  A B  are those of the small matrix  B A  and zeros.
    """
    eigenvalues = torch.linalg.eigvals(B @ A)
    return eigenvalues.real.sum() / eigenvalues.abs().sum()


def previous_position_weight(
    W_pos: Float[Tensor, "pos d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, ""]:
    """Mean weight on the position before, when a head sees positions only (softmax over the positions up to the query's)."""
    scores = W_pos @ W_Q @ (W_pos @ W_K).T / W_Q.shape[-1] ** 0.5
    future = torch.ones_like(scores, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf).softmax(dim=-1).diagonal(-1).mean()


def scores_by_component(
    query_parts: Float[Tensor, "query_part query d_model"],
    key_parts: Float[Tensor, "key_part key d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
) -> Float[Tensor, "query_part key_part query key"]:
    """Attention scores split by who wrote the query side and who wrote the key side; the parts sum to the scores.

    The division by √d_head belongs to every part: without it the parts do not sum to what the softmax sees.
    """
    q, k = query_parts @ W_Q, key_parts @ W_K
    return einsum(q, k, "i query d_head, j key d_head -> i j query key") / W_Q.shape[-1] ** 0.5


def skip_trigrams(
    QK: Float[Tensor, "destination source"], OV: Float[Tensor, "source out"]
) -> Float[Tensor, "destination source out"]:
    """How much a head raises ``out`` at ``destination`` because ``source`` stands before:  softmax_source(QK) · OV.

    A product of a factor without ``out`` and a factor without ``destination``: a head can not raise c after (a … b) and
    d after (a … b′) without raising c after (a … b′) too (Elhage et al. 2021, "Skip-trigram bugs").
    """
    return QK.softmax(dim=-1)[:, :, None] * OV[None]
