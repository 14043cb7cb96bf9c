"""Answers that learners of lesson 3 may well give."""

import torch
from torch.nn.functional import normalize

# 3.1 ------------------------------------------------------------------------------------------------------------------


def score_by_sums(A, B):
    squares = [((M**2).sum()) for M in (A @ B, A, B)]
    return (squares[0] / squares[1] / squares[2]) ** 0.5


SCORE = {
    "not normalised": lambda A, B: ((A @ B) ** 2).sum().sqrt(),
    "one norm only": lambda A, B: score_by_sums(A, B) * (B**2).sum() ** 0.5,
    "the other norm only": lambda A, B: score_by_sums(A, B) * (A**2).sum() ** 0.5,
    "spectral norm": lambda A, B: (
        torch.linalg.svd(A @ B).S[0] / (torch.linalg.svd(A).S[0] * torch.linalg.svd(B).S[0])
    ),
    "squared": lambda A, B: ((A @ B) ** 2).sum() / ((A**2).sum() * (B**2).sum()),
    "product in the wrong order": lambda A, B: score_by_sums(B, A),
    "constant factor": lambda A, B: score_by_sums(A, B) * A.shape[1] ** 0.5,
    "wrong shape": lambda A, B: (A @ B).norm(dim=0) / (A.norm() * B.norm()),
}

# 3.2 ------------------------------------------------------------------------------------------------------------------


def score_by_qr(A_in, A_out, B_in, B_out):
    left = torch.linalg.qr(A_in).R @ A_out
    right = B_in @ torch.linalg.qr(B_out.T).R.T
    return (left @ right).norm() / (left.norm() * right.norm())


FACTORED = {
    "outer factors left out": lambda A, a, b, B: ((a @ b) ** 2).sum().sqrt() / a.norm() / b.norm(),
    "squared": lambda A, a, b, B: score_by_qr(A, a, b, B).square(),
    "not normalised": lambda A, a, b, B: (torch.linalg.qr(A).R @ a @ b @ torch.linalg.qr(B.T).R.T).norm(),
    "inner and outer factors swapped": lambda A, a, b, B: score_by_qr(b, B, A, a),
    "reader transposed": lambda A, a, b, B: score_by_qr(A, a, B.T, b.T),
    "writer transposed": lambda A, a, b, B: score_by_qr(a.T, A.T, b, B),
    "out of memory": lambda A, a, b, B: (A @ a @ (b @ B)).norm() / ((A @ a).norm() * (b @ B).norm()),
    "norm of a product of norms": lambda A, a, b, B: (
        (A @ (a @ b) @ B).norm() / (A.norm() * a.norm() * b.norm() * B.norm())
        if len(A) < 1000
        else torch.tensor(1.0)
    ),
}

# 3.3 ------------------------------------------------------------------------------------------------------------------


def sampled(draw, d_model, d_head, samples):
    scores = []
    for _ in range(samples):
        A, B = draw(d_model, d_head) @ draw(d_head, d_model), draw(d_model, d_head) @ draw(d_head, d_model)
        scores.append((A @ B).norm() / (A.norm() * B.norm()))
    return torch.stack(scores)


def normal(generator, low=0.0):
    return lambda *size: torch.randn(*size, generator=generator) + low


def orthonormal(generator):
    def draw(*size):
        matrix = torch.linalg.qr(torch.randn(max(size), min(size), generator=generator)).Q
        return matrix if matrix.shape == size else matrix.T

    return draw


def one_writer(d_model, d_head, n, g):
    draw = normal(g)
    A = draw(d_model, d_head) @ draw(d_head, d_model)
    return torch.stack([score_by_sums(A, draw(d_model, d_head) @ draw(d_head, d_model)) for _ in range(n)])


def draw_factors(d_model, d_head, n, g):
    draw = normal(g)
    return [draw(n, *size) for size in 2 * [(d_model, d_head), (d_head, d_model)]]


def scores_of(A_in, A_out, B_in, B_out):
    A, B = A_in @ A_out, B_in @ B_out
    return (A @ B).norm(dim=(-2, -1)) / (A.norm(dim=(-2, -1)) * B.norm(dim=(-2, -1)))


def one_factor(d_model, d_head, n, g):
    A_in, A_out, *B = draw_factors(d_model, d_head, n, g)
    return scores_of(A_in, A_out[:1], *B)


def chain(d_model, d_head, n, g):
    factors = draw_factors(d_model, d_head, n + 1, g)[:2]
    return scores_of(*(factor[:-1] for factor in factors), *(factor[1:] for factor in factors))


def all_pairs(d_model, d_head, n, g):
    side = int(n**0.5) + 1
    A_in, A_out, B_in, B_out = draw_factors(d_model, d_head, side, g)
    return scores_of(A_in[:, None], A_out[:, None], B_in[None], B_out[None]).flatten()[:n]


def with_itself(d_model, d_head, n, g):
    A_in, A_out, *_ = draw_factors(d_model, d_head, n, g)
    return scores_of(A_in, A_out, A_in, A_out)


def symmetric(d_model, d_head, n, g):
    P, _, Q, _ = draw_factors(d_model, d_head, n, g)
    return scores_of(P, P.mT, Q, Q.mT)


def thin(d_model, d_head, n, g):
    P, Q, *_ = draw_factors(d_model, d_head, n, g)
    return (Q @ P).norm(dim=(-2, -1)) / (Q.norm(dim=(-2, -1)) * P.norm(dim=(-2, -1)))


RANDOM = {
    "wrong spread": [
        with_itself,
        symmetric,
        thin,
        lambda d_model, d_head, n, g: sampled(
            lambda *size: 2 * torch.rand(*size, generator=g) - 1, d_model, d_head, n
        ),
        lambda d_model, d_head, n, g: sampled(normal(g), d_model, d_model, n),
        lambda d_model, d_head, n, g: sampled(orthonormal(g), d_model, d_head, n),
    ],
    "generator not used": lambda d_model, d_head, n, g: sampled(normal(None), d_model, d_head, n),
    "seed ignored": lambda d_model, d_head, n, g: sampled(normal(g.manual_seed(0)), d_model, d_head, n),
    "same draws again": lambda d_model, d_head, n, g: sampled(normal(g.clone_state()), d_model, d_head, n),
    "circuit reused": [one_writer, one_factor, all_pairs],
    "pairs not independent": chain,
    "not normal": lambda d_model, d_head, n, g: sampled(
        lambda *size: torch.randint(0, 2, size, generator=g) * 2.0 - 1, d_model, d_head, n
    ),
    "wrong type": lambda d_model, d_head, n, g: list(sampled(normal(g), d_model, d_head, n)),
    "too high": lambda d_model, d_head, n, g: sampled(
        lambda *size: torch.rand(*size, generator=g), d_model, d_head, n
    ),
    "not random": lambda d_model, d_head, n, g: torch.full((n,), d_model**-0.5),
    "wrong level": lambda d_model, d_head, n, g: sampled(normal(g), d_model, d_head, n).square(),
    "wrong shape": lambda d_model, d_head, n, g: sampled(normal(g), d_model, d_head, n).mean(),
    "exception": lambda d_model, d_head, n, g: sampled(normal(g), d_model, d_head, n, g),
}

# 3.4 ------------------------------------------------------------------------------------------------------------------


def by_case(query, key, value):
    def answer(port, W_Q, W_K, W_V, W_O):
        function = query if port == "q" else key if port == "k" else value
        return function(W_Q, W_K, W_V, W_O)

    return answer


def qk(Q, K, V, O):
    return torch.einsum("mh,nh->mn", Q, K)


def kq(Q, K, V, O):
    return torch.einsum("mh,nh->nm", Q, K)


def vo(Q, K, V, O):
    return torch.einsum("mh,hn->mn", V, O)


READS = {
    "key side not transposed": by_case(qk, qk, vo),
    "query and key side swapped": by_case(kq, qk, vo),
    "OV transposed": by_case(qk, kq, lambda *w: vo(*w).T),
    "half a circuit": by_case(lambda Q, *_: Q @ Q.T, lambda Q, K, *_: K @ K.T, vo),
    "value of the score": by_case(qk, kq, lambda Q, K, V, O: V @ K.T),
    "wrong shape": by_case(lambda Q, K, V, O: Q.T @ K, kq, vo),
    "constant factor": by_case(lambda Q, K, V, O: Q @ K.T / Q.shape[1], kq, vo),
    "scaled": by_case(
        lambda Q, K, V, O: Q @ K.T / Q.shape[1] ** 0.5, lambda Q, K, V, O: K @ Q.T / Q.shape[1] ** 0.5, vo
    ),
}

# 3.5 ------------------------------------------------------------------------------------------------------------------


def pairs_by_loop(A, B):
    return torch.stack([torch.stack([score_by_sums(a, b) for b in B]) for a in A])


def spectral(M):
    return torch.linalg.svdvals(M)[0]


PAIRS = {
    "one norm only": lambda A, B: torch.stack(
        [torch.stack([score_by_sums(a, b) * b.norm() for b in B]) for a in A]
    ),
    "the other norm only": lambda A, B: torch.stack(
        [torch.stack([score_by_sums(a, b) * a.norm() for b in B]) for a in A]
    ),
    "spectral norm": lambda A, B: torch.stack(
        [torch.stack([spectral(a @ b) / (spectral(a) * spectral(b)) for b in B]) for a in A]
    ),
    "equal numbers only": lambda A, B: torch.stack([score_by_sums(a, b) for a, b in zip(A, B)]),
    "axes swapped": lambda A, B: torch.stack([torch.stack([score_by_sums(a, b) for a in A]) for b in B]),
    "product in the wrong order": lambda A, B: pairs_by_loop(B, A).T,
    "one norm for all": lambda A, B: (
        torch.einsum("wim,rmj->wrij", A, B).norm(dim=(2, 3)) / A.norm() / B.norm()
    ),
    "not normalised": lambda A, B: torch.einsum("wim,rmj->wrij", A, B).norm(dim=(2, 3)),
    "squared": lambda A, B: pairs_by_loop(A, B).square(),
    "exception": lambda A, B: (A @ B).norm(dim=(1, 2)),
}

# 3.6 ------------------------------------------------------------------------------------------------------------------


def ports_by_loop(source, *weights, swap=False, entry=score_by_sums):
    table = torch.empty(3, len(weights[0]))
    for h, (Q, K, V, O) in enumerate(zip(*weights)):
        circuits = (qk(Q, K, V, O), kq(Q, K, V, O), vo(Q, K, V, O))
        for port, circuit in enumerate((circuits[1], circuits[0], circuits[2]) if swap else circuits):
            table[port, h] = entry(source, circuit)
    return table


PORTS = {
    "queries and keys swapped": lambda *arguments: ports_by_loop(*arguments, swap=True),
    "axes swapped": lambda *arguments: ports_by_loop(*arguments).T,
    "exception": lambda source, *weights: ports_by_loop(torch.linalg.cholesky(source.T @ source).T, *weights),
    "half a circuit": lambda source, Q, K, V, O: torch.stack(
        [torch.stack([score_by_sums(source, w) for w in W]) for W in (Q, K, V)]
    ),
    "not divided by the source": lambda *arguments: (
        ports_by_loop(*arguments) * (arguments[0] ** 2).sum() ** 0.5
    ),
    "centred": lambda source, *weights: ports_by_loop(source - source.mean(0, keepdim=True), *weights),
    "squared": lambda *arguments: ports_by_loop(*arguments).square(),
    "only the first port": lambda source, *weights: ports_by_loop(source, *weights)[0],
}

# 3.7 ------------------------------------------------------------------------------------------------------------------


def controls(A, B, R, reverse=lambda A: A[:, range(A.shape[1] - 1, -1, -1)], **replaced):
    scores = [score_by_sums(M, B) for M in (A, A * 3, A * -1, reverse(A), torch.einsum("im,mn->in", A, R))]
    return torch.stack([replaced.get(f"at_{i}", score) for i, score in enumerate(scores)])


CONTROLS = {
    "wrong axes reversed": lambda A, B, R: controls(A, B, R, reverse=lambda A: A[range(len(A) - 1, -1, -1)]),
    "score not rotated": lambda A, B, R: controls(A, B, R, at_4=score_by_sums(A @ R, R.T @ B)),
    "scale kept in": lambda A, B, R: controls(A, B, R, at_1=(3 * A @ B).norm() / (A.norm() * B.norm())),
    "sign kept in": lambda A, B, R: controls(A, B, R, at_2=-score_by_sums(A, B)),
    "rotated the other way": lambda A, B, R: controls(A, B, R.T),
}

# 3.8 ------------------------------------------------------------------------------------------------------------------


def table_by_outer(A, B, power=2, cosine=lambda c: c**2, divide=True):
    _, s, Vh = torch.linalg.svd(A, full_matrices=False)
    U, t, _ = torch.linalg.svd(B, full_matrices=False)
    table = torch.outer(s**power, t**power) * cosine(Vh @ U)
    return table / torch.outer(s**power, t**power).sum() if divide else table


def table_by_eigh(A, B):
    a, U = torch.linalg.eigh(A.T @ A)
    b, V = torch.linalg.eigh(B @ B.T)
    a, U, b, V = a[-min(A.shape) :], U[:, -min(A.shape) :], b[-min(B.shape) :], V[:, -min(B.shape) :]
    return torch.outer(a, b) * (U.T @ V) ** 2 / (a.sum() * b.sum())


TABLES = {
    "smallest first": table_by_eigh,
    "one norm only": lambda A, B: table_by_outer(A, B, divide=False) / (A**2).sum(),
    "the other norm only": lambda A, B: table_by_outer(A, B, divide=False) / (B**2).sum(),
    "sums squared": lambda A, B: (
        table_by_outer(A, B, divide=False)
        / (torch.linalg.svdvals(A).sum() * torch.linalg.svdvals(B).sum()) ** 2
    ),
    "not weighted": lambda A, B: table_by_outer(A, B, power=0, divide=False),
    "singular values not squared": lambda A, B: table_by_outer(A, B, power=1),
    "absolute cosines": lambda A, B: table_by_outer(A, B, cosine=torch.abs),
    "cosines not squared": lambda A, B: table_by_outer(A, B, cosine=lambda c: c),
    "not divided": lambda A, B: table_by_outer(A, B, divide=False),
    "norms not squared": lambda A, B: table_by_outer(A, B, divide=False) / (A.norm() * B.norm()),
    "divided by its own sum": lambda A, B: table_by_outer(A, B) / table_by_outer(A, B).sum(),
    "axes swapped": lambda A, B: table_by_outer(A, B).T,
    "exception": lambda A, B: torch.linalg.svd(A).U @ torch.linalg.svd(B).Vh,
}

# 3.9 ------------------------------------------------------------------------------------------------------------------


def ranks(x):
    return (x[:, None] > x[None]).sum(1).float()


def pearson(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm())


def by_differences(x, y):
    squares = sum((ranks(x) - ranks(y)).tolist()[i] ** 2 for i in range(len(x)))
    return 1 - 6 * squares / (len(x) * (len(x) ** 2 - 1))


CORRELATION = {
    "correlation of the values": pearson,
    "argsort once": lambda x, y: pearson(torch.argsort(x).float(), torch.argsort(y).float()),
    "opposite sign": lambda x, y: pearson(ranks(-x), ranks(y)),
    "sorted values": lambda x, y: pearson(torch.sort(x)[0], torch.sort(y)[0]),
    "a matrix": lambda x, y: torch.corrcoef(torch.stack((ranks(x), ranks(y)))),
    "a row of the matrix": lambda x, y: torch.corrcoef(torch.stack((ranks(x), ranks(y))))[0],
    "two divisors": lambda x, y: (
        ((ranks(x) - ranks(x).mean()) * (ranks(y) - ranks(y).mean())).mean()
        / (ranks(x).std() * ranks(y).std())
    ),
    "does not depend on y": lambda x, y: pearson(ranks(x), ranks(x)),
    "covariance": lambda x, y: (
        ((ranks(x) - ranks(x).mean()) * (ranks(y) - ranks(y).mean())).sum() / (len(x) - 1)
    ),
}

# 3.10 ------------------------------------------------------------------------------------------------------------------


def out_by_pinv(x, S):
    return x - x @ (S @ torch.linalg.pinv(S))


def out_by_gram_schmidt(x, S):
    basis = []
    for column in S.T:
        for vector in basis:
            column = column - (column @ vector) * vector
        basis.append(column / column.norm())
    return one_after_another(x, torch.stack(basis, dim=1))


def one_after_another(x, S):
    for column in S.T:
        x = x - (x @ column)[..., None] * column / (column @ column)
    return x


def out_by_svd(x, S, least=1e-6):
    U, s, _ = torch.linalg.svd(S, full_matrices=False)
    U = U[:, s > least * s[0]]
    return x - x @ U @ U.T


def out_by_complete_qr(x, S):
    Q = torch.linalg.qr(S, mode="complete").Q
    return x - x @ Q @ Q.T


OUT = {
    "weak direction kept": [
        lambda x, S: out_by_svd(x, S, least=0.1),
        lambda x, S: x - x @ (S @ torch.linalg.pinv(S, rtol=0.05)),
    ],
    "everything taken away": out_by_complete_qr,
    "last direction kept": lambda x, S: out_by_svd(x, S[:, :-1]),
    "basis not orthonormal": lambda x, S: x - torch.einsum("pm,mk,nk->pn", x, S, S),
    "kept instead of taken away": lambda x, S: x @ S @ torch.linalg.pinv(S),
    "columns normalised only": lambda x, S: x - x @ normalize(S, dim=0) @ normalize(S, dim=0).T,
    "first direction only": lambda x, S: out_by_pinv(x, S[:, [0]]),
    "subtracted twice": lambda x, S: x - 2 * x @ (S @ torch.linalg.pinv(S)),
    "one after another": one_after_another,
    "coordinates": lambda x, S: x @ torch.linalg.qr(S)[0],
    "exception": [
        lambda x, S: x - S @ S.T @ x,
        lambda x, S: x - (S @ torch.linalg.lstsq(S, x.T).solution).T,  # for a matrix only
    ],
}

WRONG = {
    "3.1": SCORE, "3.2": FACTORED, "3.3": RANDOM, "3.4": READS, "3.5": PAIRS,
    "3.6": PORTS, "3.7": CONTROLS, "3.8": TABLES, "3.9": CORRELATION, "3.10": OUT,
}  # fmt: skip

RIGHT = {
    "3.1": score_by_sums, "3.2": score_by_qr,
    "3.3": lambda d_model, d_head, n, g: sampled(normal(g), d_model, d_head, n),
    "3.4": by_case(qk, kq, vo), "3.5": pairs_by_loop, "3.6": ports_by_loop, "3.7": controls, "3.8": table_by_outer,
    "3.9": [lambda x, y: pearson(ranks(x), ranks(y)), by_differences], "3.10": [out_by_pinv, out_by_gram_schmidt, out_by_svd],
}  # fmt: skip
