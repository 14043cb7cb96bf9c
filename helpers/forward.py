"""A forward pass that can begin anywhere: at a layer, at a position, with many changed streams at once.

A patch changes nothing before its own layer and position, so nothing there is computed again: what comes before is taken
from a run without the patch. Patches of one layer after another join the same batch and go on together to the end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.shortformer import ShortformerModel

Step = tuple[
    int, str
]  # (layer, "pre" | "mid"): before a layer's attention, before its MLP; (n_layers, "pre") is the end
Metric = Callable[[Float[Tensor, "prompt d_vocab"]], Float[Tensor, " prompt"]]
QKV = ("q", "k", "v")


@dataclass
class Run:
    """What a model computed on some prompts of one length: lists by layer, ``[prompt pos ...]``."""

    tokens: Int[Tensor, "prompt pos"]
    pre: list[Float[Tensor, "prompt pos d_model"]]  # one more than layers: the last is the end
    mid: list[Float[Tensor, "prompt pos d_model"]]
    q: list[Float[Tensor, "prompt pos head d_head"]]
    k: list[Float[Tensor, "prompt pos head d_head"]]
    v: list[Float[Tensor, "prompt pos head d_head"]]
    z: list[Float[Tensor, "prompt pos head d_head"]]

    def at(self, step: Step) -> Float[Tensor, "prompt pos d_model"]:
        layer, stage = step
        return self.pre[layer] if stage == "pre" else self.mid[layer]


class Forward:
    """The forward pass of a GPT-2 or a shortformer model. ``read_at``: the position of each prompt whose logits are read."""

    def __init__(self, model: TransformerBridge, memory: float = 5e8):
        self.model, self.memory = model, memory
        self.blocks = list(model.blocks)
        self.n_layers, self.d_head = model.cfg.n_layers, model.cfg.d_head
        self.W_O, self.W_U = model.W_O, model.W_U
        self.weights = []
        for layer in range(self.n_layers):
            W = [getattr(model, name)[layer].permute(1, 0, 2).flatten(1) for name in ("W_Q", "W_K", "W_V")]
            b = [bias[layer].flatten() for bias in (model.b_Q, model.b_K, model.b_V)]
            self.weights.append((W, b, model.W_O[layer].flatten(0, 1), model.b_O[layer]))
        shortformer = isinstance(model.original_model, ShortformerModel)
        self.positions = model.W_pos if shortformer else None
        self.steps = [(layer, stage) for layer in range(self.n_layers) for stage in ("pre", "mid")]
        self.steps.append((self.n_layers, "pre"))

    def run(self, tokens: Int[Tensor, "prompt pos"]) -> Run:
        """The model as it is on ``tokens``, everything kept."""
        if tokens.ndim != 2:
            raise ValueError(
                f"expected tokens [prompt, pos], got shape {list(tokens.shape)}: add a prompt axis."
            )
        names = ["hook_resid_pre", *(f"attn.hook_{part}" for part in ("q", "k", "v", "z"))]
        wanted = {f"blocks.{layer}.{name}" for layer in range(self.n_layers) for name in names}
        last = f"blocks.{self.n_layers - 1}.hook_resid_post"
        _, cache = self.model.run_with_cache(tokens, names_filter=lambda name: name in wanted or name == last)
        found = [[cache[f"blocks.{layer}.{name}"] for layer in range(self.n_layers)] for name in names]
        pre, q, k, v, z = found
        mid = [x + self.store(z[layer], layer) for layer, x in enumerate(pre)]
        return Run(tokens, [*pre, cache[last]], mid, q, k, v, z)

    def store(self, z: Float[Tensor, "row pos head d_head"], layer: int) -> Float[Tensor, "row pos d_model"]:
        """What a layer's heads add to the stream."""
        _, _, W_O, b_O = self.weights[layer]
        return z.flatten(2) @ W_O + b_O

    def project(self, x: Float[Tensor, "row pos d_model"], layer: int, part: str, start: int = 0) -> Tensor:
        """Queries, keys or values ``[row pos head d_head]`` of a layer that reads ``x``, whose first position is ``start``."""
        read = self.blocks[layer].ln1(x)
        if self.positions is not None and part != "v":
            read = read + self.positions[start : start + x.shape[1]]
        (W, b), index = self.weights[layer][:2], QKV.index(part)
        return (read @ W[index] + b[index]).unflatten(2, (-1, self.d_head))

    def pattern(self, q: Tensor, k: Tensor) -> Float[Tensor, "row head query key"]:
        """Attention of all queries to all keys up to them; the last query stands at the last key."""
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / sqrt(self.d_head)
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(
            1 + k.shape[1] - q.shape[1]
        )
        return scores.masked_fill(future, -torch.inf).softmax(dim=-1)

    def attend(
        self,
        x: Float[Tensor, "row pos d_model"],
        layer: int,
        base: Run,
        start: int,
        changed: dict | None = None,
    ) -> Float[Tensor, "row pos d_model"]:
        """x after a layer's attention. Keys and values before ``start`` are those of ``base``.

        ``changed[layer, part]`` puts other values in place of some heads' q, k, v or z: a list of (head, values).
        """
        parts = {part: self.project(x, layer, part, start) for part in QKV}
        for part in QKV:
            for head, values in (changed or {}).get((layer, part), ()):
                parts[part][:, :, head] = values
        q, k, v = (parts[part].transpose(1, 2) for part in QKV)
        if start > 0:
            many = len(x) // len(base.tokens)
            before = [getattr(base, part)[layer][:, :start].transpose(1, 2) for part in ("k", "v")]
            k, v = (torch.cat([old.repeat(many, 1, 1, 1), new], dim=2) for old, new in zip(before, (k, v)))
        future = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device).triu(1 + start)
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=~future).transpose(1, 2)
        for head, values in (changed or {}).get((layer, "z"), ()):
            z[:, :, head] = values
        return x + self.store(z, layer)

    def advance(self, x: Tensor, step: Step, base: Run, start: int, changed: dict | None = None) -> Tensor:
        """x one step on: through attention or through the MLP."""
        layer, stage = step
        if stage == "pre":
            return self.attend(x, layer, base, start, changed)
        block = self.blocks[layer]
        return x + block.mlp(block.ln2(x)) if hasattr(block, "mlp") else x

    def finish(
        self,
        x: Tensor,
        step: Step,
        base: Run,
        start: int,
        metric: Metric,
        read_at: Int[Tensor, " prompt"],
        changed=None,
    ) -> Float[Tensor, "patch prompt"]:
        """The metric after the steps from ``step`` to the end, for each of the patches in x."""
        for following in self.steps[self.steps.index(step) : -1]:
            x = self.advance(x, following, base, start, changed)
        prompts = len(base.tokens)
        x = x.view(-1, prompts, *x.shape[1:])
        last = x[:, torch.arange(prompts), read_at - start]  # [patch prompt d_model]
        logits = self.model.ln_final(last) @ self.W_U if hasattr(self.model, "ln_final") else last @ self.W_U
        if self.model.b_U is not None:
            logits = logits + self.model.b_U
        return torch.stack([metric(one) for one in logits])

    def sweep(
        self,
        base: Run,
        deltas: Callable[[Step], Float[Tensor, "patch prompt pos d_model"] | None],
        start: int,
        metric: Metric,
        read_at: Int[Tensor, " prompt"],
    ) -> Float[Tensor, "patch prompt"]:
        """The metric under every patch. ``deltas(step)`` is what each patch of a step adds to the stream from ``start`` on.

        Patches go on together, in batches that keep below ``memory`` bytes.
        """
        prompts, length = base.tokens.shape
        cfg = self.model.cfg
        row = 4 * (length - start) * (12 * cfg.d_model + cfg.n_heads * length) + 4 * cfg.d_vocab
        most = max(1, int(self.memory / (row * prompts)))  # patches in one batch
        outputs, x = [], None
        for step in self.steps:
            added = deltas(step)
            for piece in () if added is None else added.split(most):
                if x is not None and len(x) // prompts + len(piece) > most:
                    outputs.append(self.finish(x, step, base, start, metric, read_at))
                    x = None
                new = (base.at(step)[:, start:] + piece).flatten(0, 1)
                x = new if x is None else torch.cat([x, new])
            if x is not None and step != self.steps[-1]:
                x = self.advance(x, step, base, start)
        if x is not None:
            outputs.append(self.finish(x, self.steps[-1], base, start, metric, read_at))
        return torch.cat(outputs)


def last_position(tokens: Int[Tensor, "prompt pos"]) -> Int[Tensor, " prompt"]:
    """The index of the last position, for every prompt: where the logits are read."""
    return torch.full((len(tokens),), tokens.shape[1] - 1, device=tokens.device)
