"""A forward pass that can begin anywhere: at a layer, at a position, with many changed streams at once.

A patch changes nothing before its own layer and position, so nothing there is computed again: what comes before is taken
from a run without the patch. Patches of one layer after another join the same batch and go on together to the end. In the
last layer only the positions whose logits are read are computed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
import torch.nn.functional as F
from einops import repeat
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS
from helpers.shortformer import ShortformerModel

Step = tuple[
    int, str
]  # (layer, "pre" | "mid"): before a layer's attention, before its MLP; (n_layers, "pre") is the end
Metric = Callable[[Float[Tensor, "prompt d_vocab"]], Float[Tensor, " prompt"]]


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
    """The forward pass of a GPT-2 or a shortformer model, read at the last position of each prompt."""

    def __init__(self, model: TransformerBridge, max_bytes: float = 5e8):
        if any(point.fwd_hooks for point in model.hook_dict.values()):
            # the run that a sweep begins with would see them, the sweep itself would not
            raise ValueError(
                "expected a model without hooks, found some: take them off with model.reset_hooks()."
            )
        shortformer = isinstance(model.original_model, ShortformerModel)
        if not shortformer and model.cfg.architecture != "GPT2LMHeadModel":
            raise ValueError(
                f"expected a GPT-2 or a shortformer model, got {model.cfg.architecture}: its layers compute something else."
            )
        self.model, self.max_bytes = model, max_bytes
        self.n_layers, self.d_head = model.cfg.n_layers, model.cfg.d_head
        self.W_O, self.W_U, self.b_U = model.W_O, model.W_U, model.b_U
        self.b_O = model.b_O
        names = ("W_Q", "W_K", "W_V"), ("b_Q", "b_K", "b_V")
        W, b = ([getattr(model, name) for name in part] for part in names)
        self.weights = {
            part: (W[index].permute(0, 2, 1, 3).flatten(2), b[index].flatten(1))
            for index, part in enumerate(PORTS)
        }  # [layer d_model head*d_head], [layer head*d_head]
        # the modules themselves, without the hooks around them
        self.ln1 = [block.ln1.original_component for block in model.blocks]
        self.ln2 = [block.ln2.original_component for block in model.blocks if hasattr(block, "mlp")]
        self.mlp = [block.mlp.original_component for block in model.blocks if hasattr(block, "mlp")]
        self.ln_final = model.ln_final.original_component
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
        missing = sorted((wanted | {last}) - set(cache))
        if missing:
            raise ValueError(
                f"expected the hooks {missing} to fire, and they did not: this model is not supported."
            )
        pre, q, k, v, z = (
            [cache[f"blocks.{layer}.{name}"] for layer in range(self.n_layers)] for name in names
        )
        mid = [x + self.store(z[layer], layer) for layer, x in enumerate(pre)]
        return Run(tokens, [*pre, cache[last]], mid, q, k, v, z)

    def store(self, z: Float[Tensor, "row pos head d_head"], layer: int) -> Float[Tensor, "row pos d_model"]:
        """What a layer's heads add to the stream."""
        return z.flatten(2) @ self.W_O[layer].flatten(0, 1) + self.b_O[layer]

    def project(
        self, read: Float[Tensor, "row pos d_model"], layer: int, part: str, positions: Tensor | slice
    ) -> Float[Tensor, "row pos head d_head"]:
        """Queries, keys or values of a layer, from what it reads (after LayerNorm) at ``positions``."""
        if self.positions is not None and part != "v":
            read = read + self.positions[positions]
        W, b = self.weights[part]
        return (read @ W[layer] + b[layer]).unflatten(2, (-1, self.d_head))

    def pattern(self, q: Tensor, k: Tensor) -> Float[Tensor, "row head query key"]:
        """Attention of the queries to the keys, at all positions of a prompt."""
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / sqrt(self.d_head)
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        return scores.masked_fill(future, -torch.inf).softmax(dim=-1)

    def attend(
        self,
        x: Float[Tensor, "row pos d_model"],
        layer: int,
        base: Run,
        start: int,
        changed: dict | None = None,
    ) -> Float[Tensor, "row query d_model"]:
        """X after a layer's attention; in the last layer at the last position only.

        Keys and values before ``start`` are those of ``base``. ``changed[layer, part]``, a list of (head, values), puts other
        values in place of some heads' q, k, v (or of their z, at all positions).
        """
        changed = changed or {}
        end = start + x.shape[1]
        first = end - 1 if layer == self.n_layers - 1 else start  # of the queries
        read = self.ln1[layer](x)
        q = self.project(read[:, first - start :], layer, "q", slice(first, end))
        k, v = (self.project(read, layer, part, slice(start, end)) for part in ("k", "v"))
        for part, projected, begin in (("q", q, first), ("k", k, start), ("v", v, start)):
            for head, values in changed.get((layer, part), ()):
                projected[:, :, head] = values[:, begin - end :]
        if start > 0:
            many = len(x) // len(base.tokens)
            old = [repeat(past[layer][:, :start], "p ... -> (n p) ...", n=many) for past in (base.k, base.v)]
            k, v = torch.cat([old[0], k], dim=1), torch.cat([old[1], v], dim=1)
        past = torch.ones(end - first, end, dtype=torch.bool, device=x.device).tril(first)
        q, k, v = (projected.transpose(1, 2) for projected in (q, k, v))
        z = F.scaled_dot_product_attention(q, k, v, attn_mask=past).transpose(1, 2)
        return x[:, first - start :] + self.store(z, layer)

    def advance(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        start: int,
        changed: dict | None = None,
    ) -> Float[Tensor, "row pos d_model"]:
        """X one step on: through attention or through the MLP."""
        layer, stage = step
        if stage == "pre":
            return self.attend(x, layer, base, start, changed)
        if not self.mlp:
            return x
        mlp, read = self.mlp[layer], self.ln2[layer](x)
        if self.model.cfg.act_fn == "gelu_new":  # one kernel where the module takes eight
            return x + mlp.c_proj(F.gelu(mlp.c_fc(read), approximate="tanh"))
        return x + mlp(read)

    def finish(
        self, x: Tensor, step: Step, base: Run, start: int, metric: Metric, changed: dict | None = None
    ) -> Float[Tensor, "patch prompt"]:
        """The metric after the steps from ``step`` to the end, for each of the patches in x."""
        for following in self.steps[self.steps.index(step) : -1]:
            x = self.advance(x, following, base, start, changed)
        logits = self.ln_final(x[:, -1]) @ self.W_U
        logits = logits if self.b_U is None else logits + self.b_U
        return torch.stack([metric(one) for one in logits.split(len(base.tokens))])

    def sweep(
        self,
        base: Run,
        deltas: Callable[[Step], Float[Tensor, "patch prompt pos d_model"] | None],
        start: int,
        metric: Metric,
    ) -> Float[Tensor, "patch prompt"]:
        """The metric under every patch. ``deltas(step)`` is what each patch of a step adds to the stream from ``start`` on.

        Patches go on together, in batches that keep below ``max_bytes`` bytes.
        """
        prompts, length = base.tokens.shape
        cfg = self.model.cfg
        row = 4 * (length - start) * (12 * cfg.d_model + cfg.n_heads * length) + 4 * cfg.d_vocab
        most = max(1, int(self.max_bytes / (row * prompts)))  # patches in one batch
        outputs, x = [], None
        for step in self.steps:
            added = deltas(step)
            for piece in () if added is None else added.split(most):
                if x is not None and len(x) // prompts + len(piece) > most:
                    outputs.append(self.finish(x, step, base, start, metric))
                    x = None
                new = (base.at(step)[:, start:] + piece).flatten(0, 1)
                x = new if x is None else torch.cat([x, new[:, -x.shape[1] :]])
            if x is not None and step != self.steps[-1]:
                x = self.advance(x, step, base, start)
        if x is not None:
            outputs.append(self.finish(x, self.steps[-1], base, start, metric))
        return torch.cat(outputs)
