"""Automatic circuit discovery: the edges of a transformer that a behaviour needs.

A patched edge reads its sender's output from a run on corrupted prompts; all other edges read the
run itself. The effect of an edge is the metric with the edge patched minus the metric without.

- Exact: ``edge_effects``, one run for each edge (path patching, Wang et al. 2022; Goldowsky-Dill et
  al. 2023, arXiv 2304.05969).
- Edge attribution patching: ``attribution``, a gradient in place of each run (Syed et al. 2023,
  arXiv 2310.10348), and with integrated gradients (Hanna et al. 2024, arXiv 2403.17806).
- Greedy pruning: ``prune``, in the style of ACDC (Conmy et al. 2023, arXiv 2304.14997).

Scores and masks are matrices [sender receiver] in the order of ``Graph(model)``.
"""

from collections.abc import Iterator, Sequence

import torch
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, per_query_head
from helpers.edges import Graph
from helpers.forward import Forward
from helpers.run import Metric, Run, Step, Tokens

BAR = dict(delay=2, leave=False)
Mask = Bool[Tensor, "sender receiver"] | Float[Tensor, "sender receiver"]


class EdgePatching:
    """Runs of a model in which some edges read from a run on corrupted prompts.

    ``clean`` and ``corrupted`` are tokens ``[prompt pos]`` of one shape. Works for every model that
    ``Forward`` supports.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> clean, corrupted = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, clean, corrupted, lambda logits: logits[:, 17])
    >>> torch.allclose(patching(patching.graph.exists), patching.corrupted_metric, atol=1e-4)
    True
    """

    @torch.no_grad()
    def __init__(self, model: TransformerBridge, clean: Tokens, corrupted: Tokens, metric: Metric):
        if clean.shape != corrupted.shape:
            raise ValueError(
                f"expected prompts of one shape, got clean {list(clean.shape)} and corrupted "
                f"{list(corrupted.shape)}: an edge is patched at the same position of both."
            )
        self.forward, self.graph, self.metric = Forward(model), Graph(model), metric
        self.base, self.source = (self.forward.run(tokens) for tokens in (clean, corrupted))
        self.reader = _Reader(self.forward)
        self.clean_outputs, self.corrupted_outputs = map(self.outputs, (self.base, self.source))
        end = (self.forward.end, self.base, metric)
        self.clean_metric, self.corrupted_metric = (
            self.forward.finish(run.resid_pre[-1], *end)[0] for run in (self.base, self.source)
        )

    def outputs(self, run: Run) -> Float[Tensor, "sender prompt pos d_model"]:
        """Outputs of all senders in a run."""
        by_sender = {"embedding": lambda part: run.resid_pre[0], "mlp": lambda part: run.mlp_out[part.layer]}
        by_sender["head"] = lambda part: (
            run.z[part.layer][:, :, part.head] @ self.forward.W_O[part.layer][part.head]
        )
        return torch.stack([by_sender[part.kind](part) for part in self.graph.senders])

    @torch.no_grad()
    def __call__(self, patched: Mask) -> Float[Tensor, " prompt"]:
        """Metric with some edges patched: True or 1 for those, False or 0 for the others."""
        end = self._end(patched.float(), self.base.resid_pre[0], None)
        return self.forward.finish(end, self.forward.end, self.base, self.metric)[0]

    def gradient(self, embedding: Float[Tensor, "prompt pos d_model"]) -> Float[Tensor, "sender receiver"]:
        """Mean over prompts of  (corrupted - clean output of sender) · ∂ metric / ∂ receiver input.

        The gradient is that of a run that starts from ``embedding``. NaN where there is no edge.
        """
        weights = torch.zeros(self.graph.exists.shape, device=embedding.device, requires_grad=True)
        with torch.enable_grad():
            end = self._end(weights, embedding, self.corrupted_outputs - self.clean_outputs)
            metric = self.forward.finish(end, self.forward.end, self.base, self.metric)[0].mean()
        (gradient,) = torch.autograd.grad(metric, weights)
        return gradient.masked_fill(~self.graph.exists.to(gradient.device), torch.nan)

    def _end(
        self,
        weights: Float[Tensor, "sender receiver"],
        embedding: Float[Tensor, "prompt pos d_model"],
        changes: Float[Tensor, "sender prompt pos d_model"] | None,
    ) -> Float[Tensor, "prompt pos d_model"]:
        """What the logits read when each edge adds its weight × the change of its sender.

        Without ``changes`` the change is the corrupted output minus the output in this run.
        """
        forward, graph, x = self.forward, self.graph, embedding
        outputs, column = [x[None]], 0

        def reads(stream, n_receivers):
            nonlocal column
            n_senders = graph.n_upstream[column]
            if changes is None:
                added = self.corrupted_outputs[:n_senders] - torch.cat(outputs)[:n_senders]
            else:
                added = changes[:n_senders]
            chosen = weights[:n_senders, column : column + n_receivers].to(stream)
            column += n_receivers
            return stream + einsum(chosen, added, "sender receiver, sender ... -> receiver ...")

        for layer in range(forward.n_layers):
            before = x
            z = self.reader.z(reads(x, 3 * self.reader.attention.n_heads), layer, self.base)
            heads = _by_head(z, forward.W_O[layer])
            x = x + heads.sum(0) + forward.attention.b_O[layer]
            outputs.append(heads)
            if forward.mlp:
                mlp_out = forward.mlp_out(reads(before if forward.parallel else x, 1)[0], layer)
                x = x + mlp_out
                outputs.append(mlp_out[None])
        return reads(x, 1)[0]


class _Reader:
    """Attention in which each port of each head reads a stream of its own."""

    def __init__(self, forward: Forward):
        self.ln1, self.attention = forward.ln1, forward.attention

    def z(
        self, streams: Float[Tensor, "port_and_head prompt pos d_model"], layer: int, base: Run
    ) -> Float[Tensor, "prompt pos head d_head"]:
        """Return z of a layer; the streams are those of its queries, its keys, its values."""
        by_port = {}
        for port, normalized in zip(PORTS, self.ln1[layer](streams).chunk(3)):
            if self.attention.positions is not None and port != "v":
                normalized = normalized + self.attention.positions[: normalized.shape[2]]
            pattern = "head prompt pos d_model, d_model head d_head -> prompt pos head d_head"
            weights, biases = self.attention.weights[port]
            W, b = (x[layer].unflatten(-1, (-1, self.attention.d_head)) for x in (weights, biases))
            W = per_query_head(W, self.attention.n_heads)
            by_port[port] = einsum(normalized, W, pattern) + per_query_head(b, self.attention.n_heads, axis=0)
        return self.attention.z(*by_port.values(), layer, base.rotary)


def _by_head(
    z: Float[Tensor, "prompt pos head d_head"], W_O: Float[Tensor, "head d_head d_model"]
) -> Float[Tensor, "head prompt pos d_model"]:
    """Outputs of the heads of a layer, without its bias."""
    return einsum(z, W_O, "prompt pos head d_head, head d_head d_model -> head prompt pos d_model")


def attribution(patching: EdgePatching, steps: int = 1) -> Float[Tensor, "sender receiver"]:
    """Estimate the effect of every edge by gradients; NaN where there is no edge.

    With one step, edge attribution patching: the gradient of the clean run. With more, EAP-IG: the
    mean gradient of runs whose embedding is  clean + (i - ½) / steps · (corrupted - clean) .
    Hanna et al. 2024 take the ends of the intervals where this function takes their middles.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> clean, corrupted = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, clean, corrupted, lambda logits: logits[:, 17])
    >>> attribution(patching).shape, attribution(patching, steps=5).isfinite().sum()
    (torch.Size([7, 19]), tensor(25))
    """
    if steps < 1:
        raise ValueError(f"expected 1 step or more, got {steps}.")
    clean, corrupted = (run.resid_pre[0] for run in (patching.base, patching.source))
    if steps == 1:
        return patching.gradient(clean)
    fractions = [(i + 0.5) / steps for i in range(steps)]
    return sum(patching.gradient(torch.lerp(clean, corrupted, fraction)) for fraction in fractions) / steps


@torch.no_grad()
def edge_effects(
    patching: EdgePatching, chosen: Bool[Tensor, "sender receiver"] | None = None
) -> Float[Tensor, "sender receiver"]:
    """Exact effect of each edge, or of the chosen ones:  patched - clean metric , over prompts.

    NaN where there is no edge, or where it was not chosen.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> clean, corrupted = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, clean, corrupted, lambda logits: logits[:, 17])
    >>> edge_effects(patching).isfinite().sum()
    tensor(25)
    """
    exists = patching.graph.exists
    chosen = exists if chosen is None else chosen.cpu() & exists
    effects = torch.full(exists.shape, torch.nan)
    if not chosen.any():
        return effects
    forward, places = patching.forward, []
    with tqdm(total=len(forward.steps), desc="edges", **BAR) as bar:

        def deltas(step: Step) -> Float[Tensor, "edge prompt pos d_model"] | None:
            bar.update()
            changes = list(_changes(patching, chosen, step))
            places.extend(place for place, _ in changes)
            return torch.stack([change for _, change in changes]) if changes else None

        metrics = forward.sweep(patching.base, deltas, 0, patching.metric)
    effects[tuple(torch.tensor(places).T)] = (metrics - patching.clean_metric).mean(dim=1).cpu()
    return effects


def _changes(
    patching: EdgePatching, chosen: Bool[Tensor, "sender receiver"], step: Step
) -> Iterator[tuple[list[int], Float[Tensor, "prompt pos d_model"]]]:
    """Chosen edges whose receivers write to the stream at a step, and the changes of the writes."""
    layer, stage = step
    forward, base, columns = patching.forward, patching.base, patching.graph.columns
    changes = patching.corrupted_outputs - patching.clean_outputs
    if stage == "resid_mid":
        for port in PORTS:
            heads = columns[layer, port]
            for i in chosen[:, heads].any(dim=1).nonzero().flatten().tolist():
                picked = chosen[i, heads].nonzero().flatten()
                normalized = forward.ln1[layer](base.resid_pre[layer] + changes[i])
                ports = {name: getattr(base, name)[layer] for name in PORTS}
                ports[port] = forward.attention.project(normalized, layer, port)
                z = forward.attention.z(*ports.values(), layer, base.rotary) - base.z[layer]
                for head, change in zip(picked, _by_head(z[:, :, picked], forward.W_O[layer][picked])):
                    yield [i, heads[head]], change
        return
    reads = base.resid_pre[layer - 1] if forward.parallel else base.resid_mid[layer - 1]
    for j in columns.get((layer - 1, "mlp"), ()):
        for i in chosen[:, j].nonzero().flatten().tolist():
            yield [i, j], forward.mlp_out(reads + changes[i], layer - 1) - base.mlp_out[layer - 1]
    if step == forward.end:
        for i in chosen[:, -1].nonzero().flatten().tolist():
            yield [i, chosen.shape[1] - 1], changes[i]


@torch.no_grad()
def prune(
    patching: EdgePatching, threshold: int | float, order: Sequence[int] | None = None
) -> Bool[Tensor, "sender receiver"]:
    """Edges that are left when those that cost less than a threshold are patched, one by one.

    Receivers are visited from the logits back to the first layer, and the senders of each from the
    last to the first, or in the given ``order`` of all senders. An edge stays patched if it raises
    the distance to the full model, the mean over prompts of |metric - clean metric|, by less than
    ``threshold``. ACDC measures the distance by the KL divergence (Conmy et al. 2023, section 3).

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> clean, corrupted = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patching = EdgePatching(model, clean, corrupted, lambda logits: logits[:, 17])
    >>> prune(patching, threshold=torch.inf).any()
    tensor(False)
    """
    exists = patching.graph.exists
    order = range(len(exists) - 1, -1, -1) if order is None else order
    keep, distance = exists.clone(), 0.0
    for j in tqdm(reversed(range(exists.shape[1])), total=exists.shape[1], desc="pruning", **BAR):
        for i in (i for i in order if exists[i, j]):
            keep[i, j] = False
            further = (patching(exists & ~keep) - patching.clean_metric).abs().mean().item()
            if further - distance < threshold:
                distance = further
            else:
                keep[i, j] = True
    return keep
