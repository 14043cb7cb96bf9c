"""A forward pass that begins at any layer and position, with many patched streams in one batch.

A patch changes nothing before its own layer and position, so a sweep takes everything earlier from
a run without the patch. The patches of one layer after another join the same batch and go on
together to the end. The last layer computes only the positions whose logits are read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import torch
from einops import einsum, repeat
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import gelu, scaled_dot_product_attention
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import PORTS
from helpers.shortformer import ShortformerModel

Tokens = Int[Tensor, "..."]  # [prompt pos]; Forward.run refuses any other shape with a sentence
Step = tuple[int, Literal["resid_pre", "resid_mid"]]  # (layer, stream before attention or before MLP)
Metric = Callable[[Float[Tensor, "prompt d_vocab"]], Float[Tensor, " prompt"]]
PortValues = dict[tuple[int, str], list[tuple[int, Tensor]]]  # (layer, port): [(head, values), ...]
MAX_BATCH_BYTES = 500_000_000
COMPUTED_WITH = {  # flags that change what GPT-2 computes: the values that this forward pass implements
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
}


@dataclass
class Run:
    """Activations of a model on prompts of one length: lists with one tensor per layer."""

    tokens: Int[Tensor, "prompt pos"]
    resid_pre: list[Float[Tensor, "prompt pos d_model"]]  # one entry more than layers: the last is the end
    resid_mid: list[Float[Tensor, "prompt pos d_model"]]
    q: list[Float[Tensor, "prompt pos head d_head"]]
    k: list[Float[Tensor, "prompt pos head d_head"]]
    v: list[Float[Tensor, "prompt pos head d_head"]]
    z: list[Float[Tensor, "prompt pos head d_head"]]

    def at(self, step: Step) -> Float[Tensor, "prompt pos d_model"]:
        """Residual stream at a step."""
        layer, stage = step
        return self.resid_pre[layer] if stage == "resid_pre" else self.resid_mid[layer]

    def mlp_out(self, layer: int) -> Float[Tensor, "prompt pos d_model"]:
        """Output of one MLP."""
        return self.resid_pre[layer + 1] - self.resid_mid[layer]


class Forward:
    """Forward pass of a GPT-2 or a shortformer model, whose logits are read at the last position.

    Raises ``ValueError`` for another architecture, for a configuration that it does not implement,
    for a model with hooks, and in the first run if its logits are not those of the model.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> run = Forward(model).run(model.to_tokens("a cat sat"))
    >>> run.z[0].shape  # [prompt pos head d_head] of layer 0
    torch.Size([1, 4, 6, 64])
    """

    def __init__(self, model: TransformerBridge, max_bytes: int = MAX_BATCH_BYTES):
        _check_supported(model)
        self.model, self.max_bytes, self.compared = model, max_bytes, False
        self.n_layers, self.d_head = model.cfg.n_layers, model.cfg.d_head
        self.W_O, self.b_O, self.W_U, self.b_U = model.W_O, model.b_O, model.W_U, model.b_U
        matrices, biases = (model.W_Q, model.W_K, model.W_V), (model.b_Q, model.b_K, model.b_V)
        self.weights = {  # [layer d_model head*d_head], [layer head*d_head]
            port: (W.permute(0, 2, 1, 3).flatten(2), b.flatten(1))
            for port, W, b in zip(PORTS, matrices, biases)
        }
        # the modules themselves, without the hooks around them
        self.ln1 = [block.ln1.original_component for block in model.blocks]
        self.ln2 = [block.ln2.original_component for block in model.blocks if hasattr(block, "mlp")]
        self.mlp = [block.mlp.original_component for block in model.blocks if hasattr(block, "mlp")]
        self.ln_final = model.ln_final.original_component
        self.positions = model.W_pos if isinstance(model.original_model, ShortformerModel) else None
        self.end: Step = (self.n_layers, "resid_pre")
        self.steps: list[Step] = []
        for layer in range(self.n_layers):
            self.steps += [(layer, "resid_pre"), (layer, "resid_mid")]
        self.steps.append(self.end)

    def run(self, tokens: Tokens) -> Run:
        """Run the model without any patch and keep all activations that a sweep needs."""
        if tokens.ndim != 2:
            raise ValueError(
                f"expected tokens [prompt, pos], got shape {list(tokens.shape)}: add a prompt axis."
            )
        names = ["hook_resid_pre", *(f"attn.hook_{part}" for part in (*PORTS, "z"))]
        by_name = {name: [f"blocks.{layer}.{name}" for layer in range(self.n_layers)] for name in names}
        last = f"blocks.{self.n_layers - 1}.hook_resid_post"
        expected = {last, *(hook_name for hook_names in by_name.values() for hook_name in hook_names)}
        logits, cache = self.model.run_with_cache(tokens, names_filter=lambda name: name in expected)
        missing = sorted(expected - set(cache))
        if missing:
            raise ValueError(
                f"expected the hooks {missing} to fire, and they did not: this model is not supported."
            )
        resid_pre, q, k, v, z = ([cache[name] for name in by_layer] for by_layer in by_name.values())
        resid_mid = [x + self.attn_out(z[layer], layer) for layer, x in enumerate(resid_pre)]
        run = Run(tokens, [*resid_pre, cache[last]], resid_mid, q, k, v, z)
        if not self.compared:
            self._compare_logits(run, logits[0, -1])
            self.compared = True
        return run

    @torch.no_grad()
    def _compare_logits(self, run: Run, expected: Float[Tensor, " d_vocab"]) -> None:
        """Raise ``ValueError`` unless the first prompt has the logits that the model computed."""
        logits = self.logits(run.resid_pre[0][:1], self.steps[0], run)[0]
        spread = expected.std().nan_to_num().item()
        tolerance = max(0.01, 4 * sqrt(torch.finfo(expected.dtype).eps))  # of the spread
        if not torch.allclose(logits, expected, rtol=1e-5, atol=tolerance * spread, equal_nan=True):
            raise ValueError(
                "expected the logits that the model computes, got logits that differ by up to "
                f"{(logits - expected).abs().max():.3g} (their standard deviation is {spread:.3g}): call "
                "model.eval() if the model is in training mode, otherwise use hooks (helpers.hooks), because "
                "not all that this model computes is implemented here."
            )

    def sweep(
        self,
        base: Run,
        deltas: Callable[[Step], Float[Tensor, "patch prompt pos d_model"] | None],
        start: int,
        metric: Metric,
    ) -> Float[Tensor, "patch prompt"]:
        """Metric under every patch, computed in batches that keep below ``max_bytes``.

        ``deltas(step)`` is what each patch of a step adds to the stream from position ``start`` on.
        """
        prompts, outputs, x = len(base.tokens), [], None
        capacity = self._patches_per_batch(base, start)
        for step in self.steps:
            added = deltas(step)
            for piece in () if added is None else added.split(capacity):
                if x is not None and len(x) // prompts + len(piece) > capacity:
                    outputs.append(self.finish(x, step, base, metric, start))
                    x = None
                patched = (base.at(step)[:, start:] + piece).flatten(0, 1)
                x = patched if x is None else torch.cat([x, patched[:, -x.shape[1] :]])
            if x is not None and step != self.end:
                x = self.advance(x, step, base, start)
        if x is not None:
            outputs.append(self.finish(x, self.end, base, metric, start))
        return torch.cat(outputs)

    def _patches_per_batch(self, base: Run, start: int) -> int:
        prompts, length = base.tokens.shape
        cfg = self.model.cfg
        row_bytes = 4 * (length - start) * (12 * cfg.d_model + cfg.n_heads * length) + 4 * cfg.d_vocab
        return max(1, int(self.max_bytes / (row_bytes * prompts)))

    def finish(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        metric: Metric,
        start: int = 0,
        port_values: PortValues | None = None,
    ) -> Float[Tensor, "patch prompt"]:
        """Metric after the steps from ``step`` to the end, for each of the patches in ``x``."""
        logits = self.logits(x, step, base, start, port_values)
        return torch.stack([metric(patch_logits) for patch_logits in logits.split(len(base.tokens))])

    def logits(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        start: int = 0,
        port_values: PortValues | None = None,
    ) -> Float[Tensor, "row d_vocab"]:
        """Logits at the last position after the steps from ``step`` to the end."""
        for following in self.steps[self.steps.index(step) : -1]:
            x = self.advance(x, following, base, start, port_values)
        logits = self.ln_final(x[:, -1]) @ self.W_U
        return logits if self.b_U is None else logits + self.b_U

    def advance(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        start: int = 0,
        port_values: PortValues | None = None,
    ) -> Float[Tensor, "row query d_model"]:
        """Stream ``x`` one step further: through a layer's attention or through its MLP."""
        layer, stage = step
        if stage == "resid_pre":
            return self._attend(x, layer, base, start, port_values or {})
        if not self.mlp:
            return x
        mlp, normalized = self.mlp[layer], self.ln2[layer](x)
        if self.model.cfg.act_fn == "gelu_new":  # one kernel where the module takes eight
            return x + mlp.c_proj(gelu(mlp.c_fc(normalized), approximate="tanh"))
        return x + mlp(normalized)

    def _attend(
        self, x: Float[Tensor, "row pos d_model"], layer: int, base: Run, start: int, port_values: PortValues
    ) -> Float[Tensor, "row query d_model"]:
        """Stream ``x`` after a layer's attention; in the last layer at the last position only.

        Keys and values before ``start`` are those of ``base``. ``port_values[layer, port]``, a list
        of (head, values), replaces the queries, keys or values of some heads.
        """
        end = start + x.shape[1]
        first_query = end - 1 if layer == self.n_layers - 1 else start
        normalized = self.ln1[layer](x)
        q = self.project(normalized[:, first_query - start :], layer, "q", first_query)
        k, v = (self.project(normalized, layer, port, start) for port in ("k", "v"))
        for port, projected in zip(PORTS, (q, k, v)):
            for head, values in port_values.get((layer, port), ()):
                projected[:, :, head] = values[:, -projected.shape[1] :]
        if start > 0:
            patches = len(x) // len(base.tokens)
            earlier = (before[layer][:, :start] for before in (base.k, base.v))
            earlier = [repeat(before, "p ... -> (n p) ...", n=patches) for before in earlier]
            k, v = torch.cat([earlier[0], k], dim=1), torch.cat([earlier[1], v], dim=1)
        causal = torch.ones(end - first_query, end, dtype=torch.bool, device=x.device).tril(first_query)
        q, k, v = (projected.transpose(1, 2) for projected in (q, k, v))
        z = scaled_dot_product_attention(q, k, v, attn_mask=causal).transpose(1, 2)
        return x[:, first_query - start :] + self.attn_out(z, layer)

    def project(
        self, normalized: Float[Tensor, "row pos d_model"], layer: int, port: str, start: int = 0
    ) -> Float[Tensor, "row pos head d_head"]:
        """Queries, keys or values of a layer at the positions from ``start`` on."""
        if self.positions is not None and port != "v":
            normalized = normalized + self.positions[start : start + normalized.shape[1]]
        W, b = self.weights[port]
        return (normalized @ W[layer] + b[layer]).unflatten(2, (-1, self.d_head))

    def attn_out(
        self, z: Float[Tensor, "row pos head d_head"], layer: int
    ) -> Float[Tensor, "row pos d_model"]:
        """Output of a layer's heads together, with the bias."""
        return z.flatten(2) @ self.W_O[layer].flatten(0, 1) + self.b_O[layer]

    def pattern(
        self, q: Float[Tensor, "row pos head d_head"], k: Float[Tensor, "row pos head d_head"]
    ) -> Float[Tensor, "row head pos pos"]:
        """Attention pattern  softmax(q kᵀ / √d_head)  over the keys up to each query."""
        scores = q.transpose(1, 2) @ k.permute(0, 2, 3, 1) / sqrt(self.d_head)
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        return scores.masked_fill(future, -torch.inf).softmax(dim=-1)


def weighted_values(
    pattern: Float[Tensor, "row head query key"], v: Float[Tensor, "row key head d_head"]
) -> Float[Tensor, "row query head d_head"]:
    """Return z, the mean of the values weighted by attention.

    >>> weighted_values(torch.tensor([[[[0.5, 0.5]]]]), torch.tensor([[[[2.0]], [[4.0]]]])).item()
    3.0
    """
    return einsum(pattern, v, "row head query key, row key head d_head -> row query head d_head")


def _check_supported(model: TransformerBridge) -> None:
    if any(point.fwd_hooks for point in model.hook_dict.values()):
        # the run that a sweep begins with would see them, the sweep itself would not
        raise ValueError(
            "expected a model without hooks, found some: take them off with model.reset_hooks()."
        )
    shortformer = isinstance(model.original_model, ShortformerModel)
    if not shortformer and model.cfg.architecture != "GPT2LMHeadModel":
        raise ValueError(
            f"expected a GPT-2 or a shortformer model, got {model.cfg.architecture}: "
            "its layers compute something else."
        )
    for config in (model.cfg, getattr(model.original_model, "config", None)):
        for flag, implemented in COMPUTED_WITH.items():
            actual = getattr(config, flag, implemented)
            if actual != implemented:
                raise ValueError(
                    f"expected a model with {flag}={implemented}, got {actual}: "
                    "load it with load_model, which folds the scale of attention into W_Q."
                )
