"""Activation patching and path patching, exact and in few batches.

A patch takes an activation from the run on ``source`` and puts it into the run on ``into``. With
clean prompts as ``source`` and corrupted prompts as ``into`` this is denoising: which activations
*suffice* to restore the answer? The other way round is noising: which activations are *needed*? A
metric gets the logits at the last position, ``[prompt d_vocab]``, and returns one number per
prompt. A ``LogitDiff`` is the fastest.

Instead of tokens, ``into`` and ``source`` may be runs, ``Forward(model).run(tokens)``, which many
calls can share.

Meng et al. 2022, "Locating and Editing Factual Associations in GPT" (activations); Wang et al.
2022, "Interpretability in the Wild", section 3 (paths); Heimersheim and Nanda 2024 (the two
directions). Hooks that patch one activation in any run of a model are in ``hooks.py``.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from einops import einsum, reduce
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, check_heads, check_path, check_port, per_query_head
from helpers.forward import MAX_BATCH_BYTES, Forward
from helpers.run import Metric, PortValues, Run, Tokens

PARTS = ("out", "q", "k", "v", "pattern")
BAR = dict(delay=2, leave=False)  # a progress bar appears when a sweep takes longer than 2 seconds


@torch.no_grad()
def patch_residual(
    model: TransformerBridge,
    into: Tokens | Run,
    source: Tokens | Run,
    metric: Metric,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Float[Tensor, "layer pos prompt"]:
    """Metric with the residual stream before each layer patched at each position.

    ``into`` and ``source`` are tokens ``[prompt pos]`` of one shape.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> into, source = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patch_residual(model, into, source, lambda logits: logits[:, 17]).shape
    torch.Size([1, 4, 1])
    """
    runs = _Runs(model, into, source, metric, max_bytes)
    before, after = runs.base.resid_pre, runs.source.resid_pre
    return runs.patch_stream({layer: after[layer] - before[layer] for layer in range(model.cfg.n_layers)})


@torch.no_grad()
def patch_mlp(
    model: TransformerBridge,
    into: Tokens | Run,
    source: Tokens | Run,
    metric: Metric,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Float[Tensor, "layer pos prompt"]:
    """Metric with the output of each MLP patched at each position.

    ``into`` and ``source`` are tokens ``[prompt pos]`` of one shape.

    >>> from helpers.models import load_model
    >>> model = load_model("ioi-gpt2")
    >>> into, source = model.to_tokens(" Mary"), model.to_tokens(" John")
    >>> patch_mlp(model, into, source, lambda logits: logits[:, 17]).shape
    torch.Size([6, 2, 1])
    """
    if not hasattr(model.blocks[0], "mlp"):
        raise ValueError("expected a model with MLPs, got none: patch its heads or its residual stream.")
    runs = _Runs(model, into, source, metric, max_bytes)
    outputs = zip(runs.source.mlp_out, runs.base.mlp_out)
    return runs.patch_stream({layer + 1: after - before for layer, (after, before) in enumerate(outputs)})


@torch.no_grad()
def patch_heads(
    model: TransformerBridge,
    into: Tokens | Run,
    source: Tokens | Run,
    metric: Metric,
    part: str = "out",
    by_position: bool | Sequence[int] = False,
    shared: bool = False,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Float[Tensor, "layer *pos head prompt"]:
    """Metric with "out" (z), "q", "k", "v" or "pattern" of each head patched, at all positions.

    With ``by_position``, at one position at a time: ``[layer pos head prompt]``; a list names the
    positions. A pattern's position is that of its query. Keys and values that several query heads
    share are patched for one query head at a time; with ``shared``, for all of them at once:
    ``[layer *pos key_head prompt]``. ``into`` and ``source`` are ``[prompt pos]``, of one shape.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> into, source = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> patch_heads(model, into, source, lambda logits: logits[:, 17]).shape
    torch.Size([1, 6, 1])
    """
    if part not in PARTS:
        raise ValueError(f"expected a part among {', '.join(PARTS)}, got {part!r}.")
    runs = _Runs(model, into, source, metric, max_bytes)
    patched_z = [runs.patched_z(layer, part) for layer in range(model.cfg.n_layers)]

    def deltas(step, start):
        layer, stage = step
        if stage == "resid_pre":
            return None
        z = patched_z[layer](slice(None) if by_position is False else start)
        changes = einsum(
            z[:, start:] - runs.base.z[layer][:, start:],
            runs.forward.W_O[layer],
            "prompt pos head d_head, head d_head d_model -> head prompt pos d_model",
        )
        n_shared = runs.base.k[layer].shape[2] if shared else len(changes)
        return reduce(changes, "(shared query_head) ... -> shared ...", "sum", shared=n_shared)

    starts = [runs.first_difference] if by_position is False else runs.positions(by_position)
    metrics = runs.sweep(starts, deltas)
    metrics = metrics.unflatten(1, (model.cfg.n_layers, -1))  # [start layer head prompt]
    return metrics[0] if by_position is False else metrics.transpose(0, 1)


@torch.no_grad()
def path_patch(
    model: TransformerBridge,
    into: Tokens | Run,
    source: Tokens | Run,
    metric: Metric,
    senders: Sequence[tuple[int, int]],
    receivers: Sequence[tuple[int, int, str]] | str,
    via: str = "direct",
) -> Float[Tensor, "sender prompt"]:
    """Metric when the receivers, and no other part, read each sender's output from the source run.

    ``receivers``: (layer, head, "q" | "k" | "v"), all at once, or "logits". On the way all other
    heads are frozen; MLPs are frozen (``via="direct"``) or computed again (``via="mlps"``, Wang et
    al. 2022). After the receivers everything is computed again. A receiver that is not in a later
    layer than a sender has no path from that sender and keeps what it read.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> into, source = model.to_tokens("the cat sat"), model.to_tokens("the dog sat")
    >>> path_patch(model, into, source, lambda logits: logits[:, 17], [(0, 1)], [(1, 2, "k")]).shape
    torch.Size([1, 1])
    """
    _check_paths(model, senders, receivers, via)
    runs = _Runs(model, into, source, metric)
    ports = [] if isinstance(receivers, str) else sorted(receivers)
    senders = tqdm(senders, desc="path patching", **BAR)
    return torch.stack([runs.patch_path(sender, ports, via) for sender in senders])


class _Runs:
    """The runs on both sets of prompts, and the patches from one into the other."""

    def __init__(
        self,
        model: TransformerBridge,
        into: Tokens | Run,
        source: Tokens | Run,
        metric: Metric,
        max_bytes: int = MAX_BATCH_BYTES,
    ):
        self.forward, self.metric = Forward(model, max_bytes), metric
        runs = (run if isinstance(run, Run) else self.forward.run(run) for run in (into, source))
        self.base, self.source = runs
        shapes = [list(run.tokens.shape) for run in (self.base, self.source)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"expected prompts of one shape, got into {shapes[0]} and source {shapes[1]}: "
                "a patch goes from each position to the same position."
            )
        differ = (self.base.tokens != self.source.tokens).any(dim=0)
        self.length = len(differ)
        self.first_difference = int(differ.int().argmax()) if differ.any() else self.length - 1

    def positions(self, chosen: bool | Sequence[int]) -> Sequence[int]:
        """Positions counted from the start: all for True, else those of a list."""
        positions = range(self.length)
        if chosen is True:
            return positions
        if not chosen or not all(-self.length <= position < self.length for position in chosen):
            raise ValueError(f"expected positions from {-self.length} to {self.length - 1}, got {chosen!r}.")
        return [positions[position] for position in chosen]

    def sweep(self, starts: Sequence[int], deltas: Callable) -> Float[Tensor, "start patch prompt"]:
        """Metric of one sweep for each position at which patches begin; ``deltas(step, start)``.

        Before the first position where the prompts differ a patch changes nothing.
        """
        changing = [start for start in starts if start >= self.first_difference] or starts[-1:]
        with tqdm(total=len(changing) * len(self.forward.steps), desc="patching", **BAR) as bar:

            def counted(step, start):
                bar.update()
                return deltas(step, start)

            by_start = {
                start: self.forward.sweep(self.base, partial(counted, start=start), start, self.metric)
                for start in changing
            }
        end = self.base.resid_pre[-1]
        unpatched = self.forward.finish(end, self.forward.end, self.base, self.metric)
        unpatched = unpatched.expand_as(by_start[changing[-1]])
        return torch.stack([by_start.get(start, unpatched) for start in starts])

    def patch_stream(
        self, changes: dict[int, Float[Tensor, "prompt pos d_model"]]
    ) -> Float[Tensor, "layer pos prompt"]:
        """Metric with ``changes[layer]`` added before that layer, one position at a time."""

        def deltas(step, start):
            layer, stage = step
            if stage == "resid_mid" or layer not in changes:
                return None
            delta = torch.zeros_like(changes[layer][:, start:])
            delta[:, 0] = changes[layer][:, start]
            return delta[None]

        return self.sweep(range(self.length), deltas).transpose(0, 1)

    def patched_z(self, layer: int, part: str) -> Callable[[int | slice], Tensor]:
        """Function from a position to the z of a layer with ``part`` of all heads patched."""
        q, k, v = (getattr(self.base, port)[layer] for port in PORTS)
        source_q, source_k, source_v = (getattr(self.source, port)[layer] for port in PORTS)
        attention, weighted_values = self.forward.attention, self.forward.attention.weighted_values
        pattern = partial(attention.pattern, layer=layer, rotary=self.base.rotary)
        if part == "k":
            return lambda position: weighted_values(pattern(q, _replaced(k, source_k, position)), v)
        if part == "v":
            weights = pattern(q, k)
            return lambda position: weighted_values(weights, _replaced(v, source_v, position))
        if part == "out":
            z = self.source.z[layer]
        else:
            z = weighted_values(pattern(source_q, k if part == "q" else source_k), v)
        return lambda position: _replaced(self.base.z[layer], z, position)

    def patch_path(
        self, sender: tuple[int, int], receivers: list[tuple[int, int, str]], via: str
    ) -> Float[Tensor, " prompt"]:
        """Metric with one sender's paths patched: to later receivers or to the logits."""
        forward, base = self.forward, self.base
        deltas = self._direct_deltas(sender, via)
        if not receivers:
            end = base.resid_pre[-1] + deltas[forward.n_layers]
            return forward.finish(end, forward.end, base, self.metric)[0]
        port_values: PortValues = {}
        receivers = [receiver for receiver in receivers if receiver[0] > sender[0]]
        for layer, head, port in receivers:
            normalized = forward.ln1[layer](base.resid_pre[layer] + deltas[layer])
            patched = forward.attention.project(normalized, layer, port)
            patched = per_query_head(patched, forward.model.cfg.n_heads, axis=2)[:, :, head]
            port_values.setdefault((layer, port), []).append((head, patched))
        first = min(layer for layer, _, _ in receivers)
        x = base.resid_pre[first]
        return forward.finish(x, (first, "resid_pre"), base, self.metric, port_values=port_values)[0]

    def _direct_deltas(
        self, sender: tuple[int, int], via: str
    ) -> dict[int, Float[Tensor, "prompt pos d_model"]]:
        """Change of the stream before each later layer, and at the end, on the sender's paths."""
        (layer, head), base, forward = sender, self.base, self.forward
        delta = (self.source.z[layer] - base.z[layer])[:, :, head] @ forward.W_O[layer][head]
        deltas = {}
        for later in range(layer, forward.n_layers):
            reads = base.resid_pre[later] if forward.parallel else base.resid_mid[later]
            if via == "mlps" and not (forward.parallel and later == layer):  # its MLP runs beside it
                delta = delta + forward.mlp_out(reads + delta, later) - base.mlp_out[later]
            deltas[later + 1] = delta
        return deltas


def _replaced(base: Tensor, source: Tensor, position: int | slice) -> Tensor:
    """Return ``source`` at a position and ``base`` at the others."""
    patched = base.clone()
    patched[:, position] = source[:, position]
    return patched


def _check_paths(model: TransformerBridge, senders, receivers, via: str) -> None:
    if via not in ("direct", "mlps"):
        raise ValueError(f'expected via "direct" or "mlps", got {via!r}.')
    if receivers == "logits":
        return check_heads(model, senders)
    if not receivers or isinstance(receivers, str):
        raise ValueError(f'expected receivers (layer, head, "q" | "k" | "v") or "logits", got {receivers!r}.')
    check_heads(model, [*senders, *(receiver[:2] for receiver in receivers)])
    for *_, port in receivers:
        check_port(port)
    for sender in senders:
        check_path(sender, max(receivers)[:2])
