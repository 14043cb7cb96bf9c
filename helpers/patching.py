"""Interventions: what a model computed on one text is put into its run on another, exactly and fast (Wang et al. 2022).

A patch takes an activation from the run on ``source`` and puts it into the run on ``into``. With clean prompts as the source
and corrupted ones as ``into`` this is denoising: what *suffices* to bring the answer back? The other way round is noising:
what is *needed*? A metric gets the logits where the answer is due, ``[prompt, d_vocab]``, and returns a number a prompt.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS, Head, check_heads
from helpers.forward import Forward, Metric, Run

PARTS = ("out", "q", "k", "v", "pattern")
MAX_BATCH_BYTES = 5e8
PROGRESS_BAR_DELAY_SECONDS = 2


def _both_runs(forward: Forward, into: Tensor, source: Tensor) -> tuple[Run, Run]:
    """The runs on both sets of prompts, which must match token by token."""
    if into.shape != source.shape:
        raise ValueError(
            f"expected prompts of one shape, got into {list(into.shape)} and source {list(source.shape)}: "
            "a patch puts position i of one into position i of the other."
        )
    return forward.run(into), forward.run(source)


def _by_start(forward: Forward, base: Run, starts: Sequence[int], deltas, metric: Metric) -> Tensor:
    """One sweep for each position that patches begin at: ``[start patch prompt]``."""
    found = []
    for start in tqdm(
        starts, desc="patching", delay=PROGRESS_BAR_DELAY_SECONDS, leave=False, disable=len(starts) < 2
    ):
        found.append(forward.sweep(base, partial(deltas, start=start), start, metric))
    return torch.stack(found)


def _by_place(
    forward: Forward, base: Run, change: Callable, metric: Metric
) -> Float[Tensor, "layer pos prompt"]:
    """The metric for each layer and position when ``change(layer)`` is added to the stream before the layer, there alone."""

    def deltas(step, start):
        layer, stage = step
        added = change(layer) if stage == "pre" else None
        if added is None:
            return None
        delta = torch.zeros_like(base.pre[layer][:, start:])
        delta[:, 0] = added[:, start]
        return delta[None]

    return _by_start(forward, base, range(base.tokens.shape[1]), deltas, metric).transpose(0, 1)


@torch.no_grad()
def patch_residual(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    source: Int[Tensor, "prompt pos"],
    metric: Metric,
    max_bytes: float = MAX_BATCH_BYTES,
) -> Float[Tensor, "layer pos prompt"]:
    """The metric when the stream before a layer is patched at one position."""
    forward = Forward(model, max_bytes)
    base, other = _both_runs(forward, into, source)

    def change(layer):
        return other.pre[layer] - base.pre[layer] if layer < forward.n_layers else None

    return _by_place(forward, base, change, metric)


@torch.no_grad()
def patch_mlp(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    source: Int[Tensor, "prompt pos"],
    metric: Metric,
    max_bytes: float = MAX_BATCH_BYTES,
) -> Float[Tensor, "layer pos prompt"]:
    """The metric when the output of one MLP is patched at one position."""
    if not hasattr(model.blocks[0], "mlp"):
        raise ValueError("this model has no MLPs: patch its heads or its residual stream.")
    forward = Forward(model, max_bytes)
    base, other = _both_runs(forward, into, source)

    def change(layer):
        if layer == 0:
            return None
        return (other.pre[layer] - other.mid[layer - 1]) - (base.pre[layer] - base.mid[layer - 1])

    return _by_place(forward, base, change, metric)


@torch.no_grad()
def patch_heads(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    source: Int[Tensor, "prompt pos"],
    metric: Metric,
    part: str = "out",
    by_position: bool = False,
    max_bytes: float = MAX_BATCH_BYTES,
) -> Float[Tensor, "layer *pos head prompt"]:
    """The metric when one head's "out", "q", "k", "v" or "pattern" is patched, at all positions or at one at a time.

    ``[layer head prompt]``, or ``[layer pos head prompt]`` with ``by_position``. A pattern is patched by its query's position.
    """
    if part not in PARTS:
        raise ValueError(f"expected a part among {', '.join(PARTS)}, got {part!r}")
    forward = Forward(model, max_bytes)
    base, other = _both_runs(forward, into, source)
    changed = [_changed_z(forward, base, other, layer, part) for layer in range(forward.n_layers)]

    def deltas(step, start):
        layer, stage = step
        if stage == "pre":
            return None
        z = changed[layer](start if by_position else None)[:, start:]
        return einsum(
            z - base.z[layer][:, start:],
            forward.W_O[layer],
            "prompt pos head d_head, head d_head d_model -> head prompt pos d_model",
        )

    starts = range(into.shape[1]) if by_position else [0]
    found = _by_start(forward, base, starts, deltas, metric)
    found = found.unflatten(1, (forward.n_layers, -1))  # [start layer head prompt]
    return found.transpose(0, 1) if by_position else found[0]


def _changed_z(forward: Forward, base: Run, other: Run, layer: int, part: str):
    """Z of a layer when ``part`` of every head comes from the other run: a function of the position, or None for all."""
    q, k, v = (getattr(base, name)[layer] for name in PORTS)
    new = {name: getattr(other, name)[layer] for name in PORTS}
    pattern = forward.pattern(q, k)

    def mix(pattern, values):
        return einsum(
            pattern, values, "prompt head query key, prompt key head d_head -> prompt query head d_head"
        )

    def only(here, position):
        """``here`` at one position, the base's z elsewhere."""
        return torch.where(
            torch.arange(q.shape[1], device=q.device)[:, None, None] == position, here, base.z[layer]
        )

    if part == "out":
        whole = other.z[layer]
    elif part == "q":
        whole = mix(forward.pattern(new["q"], k), v)
    elif part == "pattern":
        whole = mix(forward.pattern(new["q"], new["k"]), v)
    if part in ("out", "q", "pattern"):
        return lambda position: whole if position is None else only(whole, position)

    def at(position):
        where = slice(None) if position is None else slice(position, position + 1)
        mixed = (k if part == "k" else v).clone()
        mixed[:, where] = new[part][:, where]
        return mix(forward.pattern(q, mixed), v) if part == "k" else mix(pattern, mixed)

    return at


@torch.no_grad()
def path_patch(
    model: TransformerBridge,
    into: Int[Tensor, "prompt pos"],
    source: Int[Tensor, "prompt pos"],
    metric: Metric,
    senders: Sequence[Head],
    receivers: Sequence[tuple[int, int, str]] | str,
    via: str = "direct",
) -> Float[Tensor, "sender prompt"]:
    """The metric when what each sender stores reaches the receivers from the other run, and nobody else.

    ``receivers``: (layer, head, "q" | "k" | "v"), all at once, or "logits". All other heads are frozen on the way; MLPs are
    frozen (``via="direct"``) or computed again (``via="mlps"``, Wang et al. 2022). After the receivers everything is computed.
    """
    if via not in ("direct", "mlps"):
        raise ValueError(f'expected via "direct" or "mlps", got {via!r}')
    to_logits = receivers == "logits"
    if not receivers or (isinstance(receivers, str) and not to_logits):
        raise ValueError(f'expected receivers (layer, head, "q" | "k" | "v") or "logits", got {receivers!r}')
    check_heads(model, senders)
    forward = Forward(model)
    base, other = _both_runs(forward, into, source)
    ports = [] if to_logits else sorted(receivers)
    check_heads(model, [port[:2] for port in ports])
    for layer, head, part in ports:
        if part not in PORTS:
            raise ValueError(f'expected a port "q", "k" or "v", got {part!r}')
        for sender in senders:
            if sender[0] >= layer:
                raise ValueError(
                    f"{sender[0]}.{sender[1]} can not send to {layer}.{head}, which is not in a later layer."
                )
    found = []
    for sender in tqdm(
        list(senders),
        desc="path patching",
        delay=PROGRESS_BAR_DELAY_SECONDS,
        leave=False,
        disable=len(senders) < 2,
    ):
        streams = _carried(forward, base, other, sender, via)
        if to_logits:
            end = base.pre[-1] + streams[forward.n_layers]
            found.append(forward.finish(end, forward.steps[-1], base, 0, metric)[0])
            continue
        changed: dict = {}
        for layer, head, part in ports:
            read = forward.ln1[layer](base.pre[layer] + streams.get(layer, 0))
            seen = forward.project(read, layer, part, slice(0, into.shape[1]))
            changed.setdefault((layer, part), []).append((head, seen[:, :, head]))
        first = min(layer for layer, _, _ in ports)
        begin = (first, "pre")
        found.append(forward.finish(base.pre[first].clone(), begin, base, 0, metric, changed)[0])
    return torch.stack(found)


def _carried(forward: Forward, base: Run, other: Run, sender: Head, via: str) -> dict[int, Tensor]:
    """What a sender's change adds to the stream before each later layer (and at the end), on the direct paths."""
    layer, head = sender
    delta = (other.z[layer] - base.z[layer])[:, :, head] @ forward.W_O[layer, head]
    streams = {}
    for following in range(layer, forward.n_layers):
        if via == "mlps":
            moved = forward.advance(base.mid[following] + delta, (following, "mid"), base, 0)
            delta = moved - base.pre[following + 1]
        streams[following + 1] = delta
    return streams
