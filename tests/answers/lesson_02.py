"""Answers that learners of lesson 2 may well give."""

import math
from collections import Counter

import torch

# 2.1 ------------------------------------------------------------------------------------------------------------------


def read_by_einsum(address, memory):
    return torch.einsum("qk,kd->qd", address, memory)


READ = {
    "address transposed": lambda address, memory: torch.einsum("kq,kd->qd", address, memory),
    "hard read": lambda address, memory: torch.stack([memory[row.topk(1).indices[0]] for row in address]),
    "softmax on top": lambda address, memory: torch.softmax(address, 1) @ memory,
    "one read for all": lambda address, memory: (
        read_by_einsum(address, memory).mean(0).repeat(len(address), 1)
    ),
    "not blended": lambda address, memory: torch.einsum("qk,kd->qkd", address, memory),
    "exception": lambda address, memory: memory @ address,
}

# 2.2 ------------------------------------------------------------------------------------------------------------------


def scores_by_matmul(x, y, W_Q, W_K, divisor=None):
    divisor = math.sqrt(W_K.shape[2]) if divisor is None else divisor
    return (x @ W_Q) @ (y @ W_K).transpose(1, 2) / divisor


SCORES = {
    "scale missing": lambda x, y, W_Q, W_K: scores_by_matmul(x, y, W_Q, W_K, 1),
    "scale is √d_model": lambda x, y, W_Q, W_K: scores_by_matmul(x, y, W_Q, W_K, x.shape[1] ** 0.5),
    "transposed W_QK": lambda x, y, W_Q, W_K: scores_by_matmul(x, y, W_K, W_Q),
    "scale is d_head": lambda x, y, W_Q, W_K: scores_by_matmul(x, y, W_Q, W_K, W_Q.shape[2]),
    "heads summed": lambda x, y, W_Q, W_K: sum(scores_by_matmul(x, y, W_Q, W_K)),
    "softmax applied": lambda x, y, W_Q, W_K: torch.softmax(scores_by_matmul(x, y, W_Q, W_K), 2),
    "axes swapped": lambda x, y, W_Q, W_K: scores_by_matmul(y, x, W_K, W_Q),
    "queries and keys swapped": lambda x, y, W_Q, W_K: scores_by_matmul(y, x, W_Q, W_K),
    "reshape instead of transpose": lambda x, y, W_Q, W_K: (
        x @ W_Q @ (y @ W_K).view(len(W_K), W_K.shape[2], len(y)) / W_Q.shape[2] ** 0.5
    ),
    "only the first head": lambda *arguments: scores_by_matmul(*arguments)[0],
    "does not depend on W_Q": lambda x, y, W_Q, W_K: scores_by_matmul(x, y, W_K, W_K),
    "exception": lambda x, y, W_Q, W_K: x @ W_Q @ W_K @ y.T,
}

# 2.3 ------------------------------------------------------------------------------------------------------------------


def values_by_gram(A, B):
    """Eigenvalues of (A B)(A B)ᵀ through the small matrix  Aᵀ A B Bᵀ."""
    return (
        torch.linalg.eigvals((A.T @ A).double() @ (B @ B.T).double())
        .real.clamp(min=0)
        .sqrt()
        .sort(descending=True)
        .values
    )


VALUES = {
    "product of the spectra": lambda A, B: torch.linalg.svd(A).S * torch.linalg.svd(B).S,
    "spectrum of one factor": lambda A, B: torch.linalg.svd(A, full_matrices=False).S,
    "spectrum of the other factor": lambda A, B: torch.linalg.svd(B, full_matrices=False).S,
    "squared": lambda A, B: values_by_gram(A, B) ** 2,
    "ascending": lambda A, B: values_by_gram(A, B).sort().values,
    "second R not transposed": lambda A, B: torch.linalg.svdvals(
        torch.linalg.qr(A).R @ torch.linalg.qr(B.T)[1]
    ),
    "QR of B, not of Bᵀ": lambda A, B: torch.linalg.svdvals(torch.linalg.qr(A).R @ torch.linalg.qr(B)[1]),
    "wrong shape": lambda A, B: torch.linalg.svdvals(A @ B),
    "out of memory": lambda A, B: torch.linalg.svdvals(A @ B)[: A.shape[1]],
    "exception": lambda A, B: torch.linalg.svdvals(B @ A),
}

# 2.4 ------------------------------------------------------------------------------------------------------------------


def output_by_loop(pattern, x, W_V, W_O):
    values = [row @ W_V @ W_O for row in x]
    return torch.stack([sum(weight * value for weight, value in zip(row, values)) for row in pattern])


OUTPUT = {
    "pattern transposed": lambda A, x, V, O: output_by_loop(A.T, x, V, O),
    "OV transposed": lambda A, x, V, O: output_by_loop(A, x, O.T, V.T),
    "attention left out": lambda A, x, V, O: torch.stack([row @ V @ O for row in x]),
    "stream added": lambda A, x, V, O: output_by_loop(A, x, V, O) + x,
    "attention twice": lambda A, x, V, O: output_by_loop(A @ A, x, V, O),
    "W_O left out": lambda A, x, V, O: torch.stack([sum(w * (r @ V) for w, r in zip(row, x)) for row in A]),
    "does not depend on W_V": lambda A, x, V, O: A @ x,
    "softmax on top": lambda A, x, V, O: output_by_loop(torch.softmax(A, 1), x, V, O),
    "mask on top": lambda A, x, V, O: output_by_loop(A * torch.ones_like(A).tril(), x, V, O),
    "mean over query": lambda *arguments: output_by_loop(*arguments).mean(0),
    "exception": lambda A, x, V, O: A @ x @ O @ V,
}

# 2.5 ------------------------------------------------------------------------------------------------------------------


def table_by_counter(tokens, d_vocab, pairs=None, by="row"):
    table = torch.zeros(d_vocab, d_vocab)
    tokens = tokens.tolist()
    for (a, b), count in Counter(pairs or zip(tokens[:-1], tokens[1:])).items():
        table[a, b] = count
    totals = {
        "row": table.sum(1, keepdim=True),
        "column": table.sum(0),
        "all": table.sum(),
        "none": torch.ones(1),
    }[by]
    return table / totals.clamp(min=1)


TABLE = {
    "counts, not shares": lambda t, n: table_by_counter(t, n, by="none"),
    "repeats lost": lambda t, n: table_by_counter(t, n, pairs=set(zip(t.tolist()[:-1], t.tolist()[1:]))),
    "shares of the second token": lambda t, n: table_by_counter(t, n, by="column"),
    "first and second swapped": lambda t, n: table_by_counter(
        t, n, pairs=list(zip(t.tolist()[1:], t.tolist()[:-1]))
    ),
    "shares of all pairs": lambda t, n: table_by_counter(t, n, by="all"),
    "NaN in empty rows": lambda t, n: (
        table_by_counter(t, n, by="none") / table_by_counter(t, n, by="none").sum(1)[:, None]
    ),
    "circle closed": lambda t, n: table_by_counter(t, n, pairs=list(zip(t.tolist(), t.roll(-1).tolist()))),
    "uniform empty rows": lambda t, n: (
        table_by_counter(t, n) + table_by_counter(t, n).eq(0).all(1)[:, None] / n
    ),
    "smoothed": lambda t, n: (lambda c: c / c.sum(1, keepdim=True))(table_by_counter(t, n, by="none") + 1),
    "a pair left out": [
        lambda t, n: table_by_counter(t[1:], n),
        lambda t, n: table_by_counter(t[:-1], n),
    ],
    "pairs do not overlap": lambda t, n: table_by_counter(
        t, n, pairs=list(zip(t.tolist()[::2], t.tolist()[1::2]))
    ),
    "sum over second": lambda t, n: table_by_counter(t, n).sum(1),
    "axes swapped": lambda t, n: table_by_counter(t, n).T,
    "divided by occurrences": lambda t, n: (
        table_by_counter(t, n, by="none") / torch.bincount(t, minlength=n)[:, None].clamp(min=1)
    ),
    "exception": lambda t, n: table_by_counter(
        t, n, pairs=torch.stack([torch.stack(pair) for pair in zip(t[:-1], t[1:])]).tolist()
    ),
}

# 2.6 ------------------------------------------------------------------------------------------------------------------


def accuracy_by_rows(A, B, k=1, sign=1):
    hits = 0
    for t, row in enumerate(A):
        hits += int(t in (sign * (row @ B)).topk(k).indices)
    return torch.tensor(hits / len(A))


def accuracy_by_blocks(size, start=1, last=True):
    def answer(A, B, k=1):
        hits = 0
        for first in range(0, len(A) if last else len(A) // size * size, size):
            top = (A[first : first + size] @ B).topk(k, dim=1).indices
            hits += (top == torch.arange(len(top))[:, None] + start * first).any(1).sum().item()
        return hits / len(A)

    return answer


ACCURACY = {
    "columns instead of rows": lambda A, B, k=1: accuracy_by_rows(B.T, A.T, k),
    "only the first place": lambda A, B, k=1: accuracy_by_rows(A, B),
    "lowest instead of highest": lambda A, B, k=1: accuracy_by_rows(A, B, k, sign=-1),
    "constant factor": [
        lambda A, B, k=1: accuracy_by_rows(A, B, k) * 100,
        lambda A, B, k=1: accuracy_by_rows(A, B, k) * len(A) / (len(A) - 1),
    ],
    "a count": lambda A, B, k=1: accuracy_by_rows(A, B, k) * len(A),
    "one too many": lambda A, B, k=1: accuracy_by_rows(A, B, k + 1),
    "mean over the places": lambda A, B, k=1: (
        ((A @ B).topk(k).indices == torch.arange(len(A))[:, None]).float().mean()
    ),
    "own entry of the block": [accuracy_by_blocks(size, start=0) for size in (64, 512, 1000)],
    "last rows left out": [accuracy_by_blocks(size, last=False) for size in (100, 512)],
    "axis too many": lambda A, B, k=1: accuracy_by_rows(A, B, k)[None],
}

# 2.7 ------------------------------------------------------------------------------------------------------------------


def ratio_in_full(A, B, above=lambda v: v.real, below=lambda v: v.abs()):
    values = torch.linalg.eigvals((A @ B).double())
    return (above(values).sum() / below(values).sum()).float()


EIGENVALUES = {
    "share of their number": lambda A, B: (torch.linalg.eig(B @ A).eigenvalues.real > 0).sum() / len(B),
    "real parts below": lambda A, B: ratio_in_full(A, B, below=lambda v: v.real.abs()),
    "absolute values above": lambda A, B: ratio_in_full(A, B, above=lambda v: v.real.abs()),
    "singular values below": lambda A, B: (B @ A).trace() / torch.linalg.svd(B @ A).S.sum(),
    "mean, not share": lambda A, B: (B @ A).trace() / len(B),
    "opposite sign": lambda A, B: ratio_in_full(-B, A),
    "not divided": lambda A, B: torch.linalg.eigvals(B @ A).real.sum().item(),
    "upside down": lambda A, B: 1 / ratio_in_full(B, A),
    "out of memory": ratio_in_full,
    "wrong dtype": lambda A, B: (lambda v: v.sum() / v.abs().sum())(torch.linalg.eigvals(B @ A)),
}

# 2.8 ------------------------------------------------------------------------------------------------------------------


def triples_by_einsum(QK, OV, dim=1):
    return torch.einsum("bs,so->bso", torch.softmax(QK, dim), OV)


TRIPLES = {
    "scores instead of weights": lambda QK, OV: torch.einsum("bs,so->bso", QK, OV),
    "softmax over the destinations": lambda QK, OV: triples_by_einsum(QK, OV, 0),
    "sources summed": lambda QK, OV: triples_by_einsum(QK, OV).sum(1),
    "axes swapped": lambda QK, OV: triples_by_einsum(QK, OV).permute(1, 0, 2),
    "axes in another order": lambda QK, OV: triples_by_einsum(QK, OV).permute(2, 0, 1),
    "softmax overflows": lambda QK, OV: (QK.exp() / QK.exp().sum(1)[:, None]).unsqueeze(2) * OV,
    "does not depend on OV": lambda QK, OV: triples_by_einsum(QK, torch.ones_like(OV)),
    "added": lambda QK, OV: torch.softmax(QK, 1).unsqueeze(2) + OV.unsqueeze(0),
    "softmax over the outs too": lambda QK, OV: triples_by_einsum(QK, torch.softmax(OV, 1)),
    "wrong values": lambda QK, OV: triples_by_einsum(QK / 2, OV),
}

# 2.9 ------------------------------------------------------------------------------------------------------------------


def weight_by_scores(P, W_Q, W_K, scale=True, causal=True, dim=1, back=1, first_masked=1, fill=-math.inf):
    scores = (P @ W_Q) @ (P @ W_K).T
    scores = scores / W_K.shape[1] ** 0.5 if scale else scores
    if causal:
        masked = torch.ones_like(scores).triu(first_masked).bool()
        scores = scores.masked_fill(masked, fill)
    weights = torch.softmax(scores, dim)
    places = range(max(back, 0), len(P) + min(back, 0))
    return torch.stack([weights[i, i - back] for i in places]).mean()


def weight_by_exp(P, W_Q, W_K, shift=lambda scores: 0):
    scores = P @ W_Q @ W_K.T @ P.T / W_Q.shape[1] ** 0.5
    weights = (scores - shift(scores)).exp().tril()
    return (weights / weights.sum(1)[:, None]).diagonal(-1).mean()


def mask_after_softmax(P, W_Q, W_K):
    return (P @ W_Q @ W_K.T @ P.T / W_K.shape[1] ** 0.5).softmax(1).tril().diagonal(-1).mean()


def weight_renormalised(P, W_Q, W_K):
    weights = (P @ W_Q @ W_K.T @ P.T / W_K.shape[1] ** 0.5).softmax(1).tril()
    return (weights / weights.sum(1, keepdim=True)).diagonal(-1).sum().item() / (len(P) - 1)


WEIGHT = {
    "scale missing": lambda *w: weight_by_scores(*w, scale=False),
    "mask missing": [lambda *w: weight_by_scores(*w, causal=False), mask_after_softmax],
    "masked with 0": lambda P, W_Q, W_K: (
        (P @ W_Q @ W_K.T @ P.T / W_K.shape[1] ** 0.5).tril().softmax(1).diagonal(-1).mean()
    ),
    "softmax overflows": weight_by_exp,
    "divided by all positions": lambda P, *w: weight_by_scores(P, *w) * (1 - 1 / len(P)),
    "current position": lambda *w: weight_by_scores(*w, back=0),
    "off by one": lambda *w: weight_by_scores(*w, back=2),
    "softmax over the query axis": lambda *w: weight_by_scores(*w, dim=0),
    "transposed W_QK": lambda P, W_Q, W_K: weight_by_scores(P, W_K, W_Q),
    "a row of zeros": [
        weight_renormalised,
        lambda *w: weight_by_exp(*w, shift=lambda scores: scores.amax(1, keepdim=True)),
        lambda *w: weight_by_exp(*w, shift=torch.max),
    ],
    "masked with a finite number": [
        lambda *w: weight_by_scores(*w, fill=-100),
        lambda *w: weight_by_scores(*w, fill=-300),
    ],
    "mask begins too late": lambda *w: weight_by_scores(*w, first_masked=2),
    "mask hides the position itself": lambda *w: weight_by_scores(*w, first_masked=0).nan_to_num(),
    "always 0": [
        lambda *w: weight_by_scores(*w, back=-1),
        lambda P, W_Q, W_K: weight_by_scores(P, W_Q, W_K) * 0,
    ],
    "mean of the whole pattern": lambda P, *w: torch.full((len(P), len(P)), 1 / len(P)).mean(),
    "sum instead of mean": lambda P, *w: weight_by_scores(P, *w) * (len(P) - 1),
    "scale is d_head": lambda P, W_Q, W_K: weight_by_scores(P, W_Q / W_Q.shape[1] ** 0.5, W_K),
    "axis too many": lambda *w: weight_by_scores(*w)[None],
    "does not depend on W_K": lambda P, W_Q, W_K: weight_by_scores(P, W_Q, W_Q),
}

# 2.10 -----------------------------------------------------------------------------------------------------------------


def split_by_loop(x, y, W_Q, W_K, divisor=None):
    divisor = W_Q.shape[1] ** 0.5 if divisor is None else divisor
    return torch.stack([torch.stack([(a @ W_Q) @ (b @ W_K).T / divisor for b in y]) for a in x])


SPLIT = {
    "scale missing": lambda x, y, W_Q, W_K: split_by_loop(x, y, W_Q, W_K, 1),
    "transposed W_QK": lambda x, y, W_Q, W_K: split_by_loop(x, y, W_K, W_Q),
    "axes swapped": [
        lambda x, y, W_Q, W_K: split_by_loop(x, y, W_Q, W_K).permute(1, 0, 2, 3),
        lambda x, y, W_Q, W_K: split_by_loop(x, y, W_Q, W_K).mT,
    ],
    "summed over the key parts": lambda x, y, W_Q, W_K: split_by_loop(x, y.sum(0, keepdim=True), W_Q, W_K)[
        :, 0
    ],
    "scale divided among the parts": lambda x, y, W_Q, W_K: split_by_loop(x / len(x), y / len(y), W_Q, W_K),
    "scale is d_head": lambda x, y, W_Q, W_K: split_by_loop(x, y, W_Q, W_K, W_Q.shape[1]),
    "scale is √d_model": lambda x, y, W_Q, W_K: split_by_loop(x, y, W_Q, W_K, W_Q.shape[0] ** 0.5),
    "wrong shape": lambda x, y, W_Q, W_K: split_by_loop(x, y, W_Q, W_K).sum((0, 1)),
}

WRONG = {
    "2.1": READ, "2.2": SCORES, "2.3": VALUES, "2.4": OUTPUT, "2.5": TABLE,
    "2.6": ACCURACY, "2.7": EIGENVALUES, "2.8": TRIPLES, "2.9": WEIGHT, "2.10": SPLIT,
}  # fmt: skip

RIGHT = {
    "2.1": read_by_einsum,
    "2.2": scores_by_matmul,
    "2.3": [values_by_gram, lambda A, B: torch.linalg.svdvals(torch.linalg.qr(A).R @ B)],
    "2.4": output_by_loop,
    "2.5": table_by_counter,
    "2.6": [accuracy_by_rows, accuracy_by_blocks(64), accuracy_by_blocks(512)],
    "2.7": [lambda A, B: ratio_in_full(B, A), lambda A, B: ratio_in_full(B, A).item()],
    "2.8": triples_by_einsum,
    "2.9": [weight_by_scores, lambda *w: weight_by_scores(*w, fill=-1e9)],
    "2.10": split_by_loop,
}
