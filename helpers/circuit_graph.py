"""Data of the circuit view: what each head reads on one text, and what changes without it.

All that the view shows is measured here, so that the view needs no model: attention, the size of
what attention moves, the effect of each edge, the effect of each head, and the earlier heads that a
head reads. The picture follows Wang et al. 2022, "Interpretability in the Wild", figure 2.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad
from transformer_lens.model_bridge import TransformerBridge

from helpers.circuit_view import LEAST_WEIGHT, Circuit, Edge, Read
from helpers.components import PORTS, Head, check_heads, per_query_head
from helpers.forward import Forward
from helpers.run import Metric, Run, Step
from helpers.sequences import check_one_text

CANDIDATES = 5  # next tokens shown at each position


@torch.no_grad()
def read_circuit(
    model: TransformerBridge,
    tokens: Int[Tensor, "..."],
    roles: Mapping[tuple[int, int], str] | None = None,
    heads: Sequence[tuple[int, int]] | None = None,
    effects: bool = True,
) -> Circuit:
    """Measure one text ``[1, pos]`` for the circuit view.

    ``heads``: those that the view shows, all unless given. ``roles``: names that measures gave to
    heads. A head is ablated by setting its z to zero. An edge from a key to a query is cut by
    taking  attention · value  of that key out of the head's z at the query. Without ``effects`` no
    edge is cut: that takes most of the time.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> circuit = read_circuit(model, model.to_tokens("the cat sat"), roles={(0, 3): "copying"})
    >>> circuit.heads[3], circuit.roles[3], circuit.attention.shape
    ('0.3', 'copying', torch.Size([6, 4, 4]))
    """
    check_one_text(tokens)
    every = [(layer, head) for layer in range(model.cfg.n_layers) for head in range(model.cfg.n_heads)]
    shown = [Head(*head) for head in (every if heads is None else heads)]
    check_heads(model, shown)
    forward = Forward(model, every_position=True)
    run = forward.run(tokens)
    patterns = [
        forward.attention.pattern(q, k, i, run.rotary)[0] for i, (q, k) in enumerate(zip(run.q, run.k))
    ]
    attention = torch.stack([patterns[layer][head] for layer, head in shown])
    moved = [_moved(forward, v, layer) for layer, v in enumerate(run.v)]
    lens_log_probs = _logits(forward, torch.cat(run.resid_pre)).log_softmax(dim=-1)  # [layer pos d_vocab]
    lens, log_probs = lens_log_probs.max(dim=-1), lens_log_probs[-1]
    top = log_probs.topk(CANDIDATES, dim=-1)
    outputs = [run.z[layer][0, :, head] @ forward.W_O[layer][head] for layer, head in shown]
    without = _sweep(forward, run, shown, outputs, 0, lambda logits: logits.log_softmax(dim=-1))
    likeliest = without.max(dim=-1)  # of [head pos d_vocab]

    def words(ids: Int[Tensor, "..."]) -> str | list:
        """Return a token as text, an array of tokens as nested lists."""
        return model.tokenizer.decode(ids) if ids.ndim == 0 else [words(row) for row in ids]

    return Circuit(
        tokens=words(tokens[0]),
        heads=[str(head) for head in shown],
        roles=[(roles or {}).get(head, "") for head in shown],
        attention=attention,
        sizes=attention * torch.stack([moved[layer][head] for layer, head in shown]).norm(dim=-1)[:, None],
        edges=list(_edges(forward, run, shown, attention, moved, log_probs if effects else None)),
        reads=list(_reads(forward, run, shown, attention, moved)),
        logit_lens=words(lens.indices),
        lens_probabilities=lens.values.exp(),
        candidates=words(top.indices),
        probabilities=top.values.exp(),
        without=without.gather(2, top.indices.expand(len(shown), -1, -1)).exp(),
        likeliest_without=words(likeliest.indices),
        probability_without=likeliest.values.exp(),
    )


def _sweep(
    forward: Forward,
    run: Run,
    heads: Sequence[Head],
    cuts: Sequence[Float[Tensor, "pos d_model"]],
    start: int,
    metric: Metric,
) -> Float[Tensor, "cut pos ..."]:
    """Metric with each cut, from position ``start`` on: it is taken out of a head's output."""

    def minus(step: Step) -> Float[Tensor, "cut 1 pos d_model"] | None:
        chosen = [-cut[None] for head, cut in zip(heads, cuts) if (head.layer, "resid_mid") == step]
        return torch.stack(chosen) if chosen else None

    by_layer = sorted(range(len(heads)), key=lambda i: heads[i].layer)  # the order of the sweep, stable
    values = forward.sweep(run, minus, start, metric)[:, 0]
    return values[torch.tensor(by_layer).argsort()]


def _edges(
    forward: Forward,
    run: Run,
    heads: Sequence[Head],
    attention: Float[Tensor, "shown query key"],
    moved: Sequence[Float[Tensor, "head key d_model"]],
    log_probs: Float[Tensor, "pos d_vocab"] | None,
) -> Iterator[Edge]:
    """Each edge that is drawn, with its effects at the query's position and at every later one.

    Without the log-probabilities of the run no effect is measured.
    """
    for query, length in enumerate(range(attention.shape[1], 0, -1)):
        edges = (attention[:, query] >= LEAST_WEIGHT).nonzero().tolist()
        if log_probs is None or not edges:
            yield from (Edge(i, query, key, []) for i, key in edges)
            continue
        best = log_probs.max(dim=-1)
        senders = [heads[i] for i, _ in edges]
        cuts = [
            pad(attention[i, query, key] * moved[head.layer][head.head, key][None], (0, 0, 0, length - 1))
            for head, (i, key) in zip(senders, edges)
        ]

        def of_the_best(logits, query=query, best=best):
            return logits.log_softmax(dim=-1).gather(2, best.indices[None, query:, None])[..., 0]

        effects = best.values[query:] - _sweep(forward, run, senders, cuts, query, of_the_best)
        yield from (Edge(i, query, key, row) for (i, key), row in zip(edges, effects.tolist()))


def _reads(
    forward: Forward,
    run: Run,
    heads: Sequence[Head],
    attention: Float[Tensor, "shown query key"],
    moved: Sequence[Float[Tensor, "head key d_model"]],
) -> Iterator[Read]:
    """What heads read of earlier heads, for each edge that is drawn.

    Without the sender's output in what a head's queries (or keys) are made of, its attention to the
    key falls by the strength. For values, the strength is the fraction of what the edge moves that
    comes from the sender.
    """
    for layer in sorted({head.layer for head in heads}):
        receivers = [i for i, head in enumerate(heads) if head.layer == layer]
        for j, sender in enumerate(heads):
            if sender.layer >= layer:
                continue
            output = run.z[sender.layer][:, :, sender.head] @ forward.W_O[sender.layer][sender.head]
            normalized = forward.ln1[layer](run.resid_pre[layer] - output)
            q, k, v = (forward.attention.project(normalized, layer, port) for port in PORTS)
            along = (_moved(forward, v, layer) * moved[layer]).sum(dim=-1)
            from_sender = 1 - along / moved[layer].pow(2).sum(dim=-1)  # [head key]
            patterns = {
                "q": forward.attention.pattern(q, run.k[layer], layer, run.rotary)[0],
                "k": forward.attention.pattern(run.q[layer], k, layer, run.rotary)[0],
            }
            for i in receivers:
                head = heads[i].head
                strengths = {port: attention[i] - pattern[head] for port, pattern in patterns.items()}
                strengths["v"] = from_sender[head].expand_as(attention[i])
                for port, strength in strengths.items():
                    drawn = (strength >= LEAST_WEIGHT) & (attention[i] >= LEAST_WEIGHT)
                    for query, key in drawn.nonzero().tolist():
                        yield Read(i, j, port, query, key, strength[query, key].item())


def _moved(
    forward: Forward, v: Float[Tensor, "1 key shared d_head"], layer: int
) -> Float[Tensor, "head key d_model"]:
    """What each head of a layer moves from each key with an attention of 1:  v W_O."""
    v = per_query_head(v, forward.model.cfg.n_heads, axis=2)[0]
    return einsum(v, forward.W_O[layer], "key head d_head, head d_head d_model -> head key d_model")


def _logits(forward: Forward, stream: Float[Tensor, "row pos d_model"]) -> Float[Tensor, "row pos d_vocab"]:
    """Logits at all positions of a stream: at the end, the model's own; earlier, the logit lens."""
    logits = forward.ln_final(stream) @ forward.W_U
    return logits if forward.b_U is None else logits + forward.b_U
