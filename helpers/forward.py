"""A forward pass that begins at any layer and position, with many patched streams in one batch.

A patch changes nothing before its own layer and position, so a sweep takes everything earlier from
a run without the patch. The patches of one layer after another join the same batch and go on
together to the end. The last layer computes only the positions whose logits are read.

Norms and MLPs are the model's own modules; attention is that of ``attention.py``.
"""

from collections.abc import Callable
from math import sqrt

import torch
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import gelu
from transformer_lens.model_bridge import TransformerBridge

from helpers.attention import Attention, before
from helpers.components import PORTS, has_positions, rotary_angles
from helpers.run import LogitDiff, Metric, PortValues, Run, Step, Tokens

MAX_BATCH_BYTES = 500_000_000
COMPUTED_WITH = {  # flags that change what a model computes: the values that this forward pass implements
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
}
PARTS_OF_BLOCKS = {"ln1", "ln2", "attn", "mlp"}
PARTS_OF_ATTENTION = {"q", "k", "v", "qkv", "o", "q_norm", "k_norm"}


class Forward:
    """Forward pass of a decoder, whose logits are read at the last position, or at every position.

    It knows GPT-2, shortformer and models of the kind of Llama, Qwen and GPT-NeoX: rotary
    positions, shared keys and values, gated MLPs, attention and MLP in parallel. Raises
    ``ValueError`` for parts and flags that it does not know, for a model with hooks, and in the
    first run if its logits are not those of the model.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-1l")
    >>> run = Forward(model).run(model.to_tokens("a cat sat"))
    >>> run.z[0].shape  # [prompt pos head d_head] of layer 0
    torch.Size([1, 4, 6, 64])
    """

    def __init__(self, model: TransformerBridge, max_bytes: int = MAX_BATCH_BYTES, every_position=False):
        _check_supported(model)
        self.model, self.max_bytes, self.compared = model, max_bytes, False
        self.n_layers, self.attention = model.cfg.n_layers, Attention(model)
        self.trimmed = None if every_position else self.n_layers - 1  # layer of the last position only
        self.W_O, self.W_U, self.b_U = self.attention.W_O, model.W_U, model.b_U
        self.parallel = bool(getattr(model.cfg, "parallel_attn_mlp", False))
        self.window = getattr(getattr(model.original_model, "config", None), "sliding_window", None)
        # the modules themselves, without the hooks around them
        self.ln1 = [block.ln1.original_component for block in model.blocks]
        with_mlp = [block for block in model.blocks if hasattr(block, "mlp")]
        self.ln2 = [getattr(block, "ln2", block.ln1).original_component for block in with_mlp]
        self.mlp = [block.mlp.original_component for block in with_mlp]
        self.ln_final = model.ln_final.original_component
        self.end: Step = (self.n_layers, "resid_pre")
        self.steps: list[Step] = []
        for layer in range(self.n_layers):
            self.steps += [(layer, "resid_pre"), (layer, "resid_mid")]
        self.steps.append(self.end)

    def run(self, tokens: Tokens) -> Run:
        """Run the model without any patch and keep all activations that a sweep needs."""
        self._check_tokens(tokens)
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
        resid_pre.append(cache[last])
        after_heads = [x + self.attention.out(z[layer], layer) for layer, x in enumerate(resid_pre[:-1])]
        mlp_out = [after - x for after, x in zip(resid_pre[1:], after_heads)]
        resid_mid = resid_pre[1:] if self.parallel else after_heads
        rotary = None if has_positions(self.model) else rotary_angles(self.model, tokens.shape[1])
        compared_k = [self.attention.compared(keys, layer, "k", rotary) for layer, keys in enumerate(k)]
        run = Run(tokens, resid_pre, resid_mid, q, k, v, z, mlp_out, compared_k, rotary)
        if not self.compared:
            self._compare_logits(run, logits[0, -1])
            self.compared = True
        return run

    def _check_tokens(self, tokens: Tokens) -> None:
        if tokens.ndim != 2:
            raise ValueError(
                f"expected tokens [prompt, pos], got shape {list(tokens.shape)}: add a prompt axis."
            )
        if self.window is not None and tokens.shape[1] > self.window:
            raise ValueError(
                f"expected at most {self.window} tokens, because each position of this model attends to the "
                f"last {self.window} only, got {tokens.shape[1]}: shorten the prompts."
            )

    @torch.no_grad()
    def _compare_logits(self, run: Run, expected: Float[Tensor, " d_vocab"]) -> None:
        """Raise ``ValueError`` unless the first prompt has the logits that the model computed."""
        logits = self.logits(run.resid_pre[0][:1], self.steps[0], run).flatten(0, -2)[-1]
        spread = expected.std().nan_to_num().item()
        tolerance = max(0.01, 4 * sqrt(torch.finfo(expected.dtype).eps))  # of the spread
        if not torch.allclose(logits, expected, rtol=1e-5, atol=tolerance * spread, equal_nan=True):
            raise ValueError(
                "expected the logits that the model computes, got logits that differ by up to "
                f"{(logits - expected).abs().max():.3g} (their standard deviation is {spread:.3g}): call "
                "model.eval() if the model is in training mode, otherwise use hooks (helpers.hooks), because "
                f"not all that this model ({self.model.cfg.architecture}) computes is implemented here."
            )

    def sweep(
        self,
        base: Run,
        deltas: Callable[[Step], Float[Tensor, "patch prompt pos d_model"] | None],
        start: int,
        metric: Metric,
    ) -> Float[Tensor, "patch prompt ..."]:
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
        read, cfg = length - start if self.trimmed is None else 1, self.model.cfg
        row_bytes = 4 * (length - start) * (12 * cfg.d_model + cfg.n_heads * length) + 4 * read * cfg.d_vocab
        return max(1, int(self.max_bytes / (row_bytes * prompts)))

    def finish(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        metric: Metric,
        start: int = 0,
        port_values: PortValues | None = None,
    ) -> Float[Tensor, "patch prompt ..."]:
        """Metric after the steps from ``step`` to the end, for each of the patches in ``x``."""
        if isinstance(metric, LogitDiff):
            end = self.normalized_end(x, step, base, start, port_values)
            end = rearrange(end, "(patch prompt) d_model -> patch prompt d_model", prompt=len(base.tokens))
            right, wrong = (self.logit_of(end, tokens.to(end.device)) for tokens in metric)
            return right - wrong
        logits = self.logits(x, step, base, start, port_values)
        return torch.stack([metric(patch_logits) for patch_logits in logits.split(len(base.tokens))])

    def logits(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        start: int = 0,
        port_values: PortValues | None = None,
    ) -> Float[Tensor, "row ... d_vocab"]:
        """Logits after the steps from ``step`` to the end: at the last position, or at every."""
        logits = self.normalized_end(x, step, base, start, port_values) @ self.W_U
        return logits if self.b_U is None else logits + self.b_U

    def normalized_end(
        self, x: Float[Tensor, "row pos d_model"], step: Step, base: Run, start: int, ports: PortValues | None
    ) -> Float[Tensor, "row ... d_model"]:
        """Stream that the unembedding reads, after the steps from ``step``."""
        for following in self.steps[self.steps.index(step) : -1]:
            x = self.advance(x, following, base, start, ports)
        return self.ln_final(x if self.trimmed is None else x[:, -1])

    def logit_of(
        self, normalized: Float[Tensor, "patch prompt d_model"], tokens: Int[Tensor, " prompt"]
    ) -> Float[Tensor, "patch prompt"]:
        """Logit of one token per prompt."""
        logits = einsum(normalized, self.W_U[:, tokens], "patch prompt d, d prompt -> patch prompt")
        return logits if self.b_U is None else logits + self.b_U[tokens]

    def advance(
        self,
        x: Float[Tensor, "row pos d_model"],
        step: Step,
        base: Run,
        start: int = 0,
        port_values: PortValues | None = None,
    ) -> Float[Tensor, "row query d_model"]:
        """Stream ``x`` one step further: through a layer's attention or through its MLP.

        In a parallel block the first step is the whole block, and the second changes nothing.
        """
        layer, stage = step
        if stage == "resid_mid":
            return x if self.parallel else x + self.mlp_out(x, layer)
        z = self.z(x, layer, base, start, port_values or {})
        return self.after_heads(x[:, x.shape[1] - z.shape[1] :], z, layer)

    def end_under(
        self,
        change: Callable[[Float[Tensor, "row pos head d_head"], int], Tensor],
        x: Float[Tensor, "row pos d_model"],
        base: Run,
    ) -> Float[Tensor, "row pos d_model"]:
        """Stream at the end, from ``x`` before layer 0, with ``change(z, layer)`` in place of z."""
        for layer in range(self.n_layers):
            normalized = self.ln1[layer](x)
            q, k, v = (self.attention.project(normalized, layer, port) for port in PORTS)
            z = change(self.attention.z(q, k, v, layer, base.rotary), layer)
            x = self.advance(self.after_heads(x, z, layer), (layer, "resid_mid"), base)
        return x

    def after_heads(
        self, x: Float[Tensor, "row pos d_model"], z: Float[Tensor, "row pos head d_head"], layer: int
    ) -> Float[Tensor, "row pos d_model"]:
        """Return ``resid_mid``: the stream ``x`` before a layer, and the outputs of its heads."""
        after = x + self.attention.out(z, layer)
        return after + self.mlp_out(x, layer) if self.parallel else after

    def mlp_out(
        self, x: Float[Tensor, "row pos d_model"], layer: int
    ) -> Float[Tensor, "row pos d_model"] | float:
        """Output of a layer's MLP that reads the stream ``x``; 0 in a model without MLPs."""
        if not self.mlp:
            return 0.0
        mlp, normalized = self.mlp[layer], self.ln2[layer](x)
        if self.model.cfg.act_fn == "gelu_new":  # one kernel where the module takes eight
            return mlp.c_proj(gelu(mlp.c_fc(normalized), approximate="tanh"))
        return mlp(normalized)

    def z(
        self, x: Float[Tensor, "row pos d_model"], layer: int, base: Run, start: int, port_values: PortValues
    ) -> Float[Tensor, "row query head d_head"]:
        """Return z of a layer that reads ``x``; in the last layer only where logits are read.

        Keys and values before ``start`` are those of ``base``. ``port_values[layer, port]``, a list
        of (head, values), replaces the queries, keys or values of some query heads.
        """
        attention, end = self.attention, start + x.shape[1]
        first_query = end - 1 if layer == self.trimmed else start
        normalized = self.ln1[layer](x)
        ports = {port: attention.project(normalized, layer, port, start) for port in ("k", "v")}
        ports["q"] = attention.project(normalized[:, first_query - start :], layer, "q", first_query)
        for port in PORTS:
            for head, values in port_values.get((layer, port), ()):
                ports[port] = attention.for_each_query_head(ports[port])
                ports[port][:, -values.shape[1] :, head] = values[:, -ports[port].shape[1] :]
        q = attention.compared(ports["q"], layer, "q", base.rotary, first_query)
        k, v = attention.compared(ports["k"], layer, "k", base.rotary, start), ports["v"]
        if start > 0:
            patches = len(x) // len(base.tokens)
            k = torch.cat([before(base.compared_k[layer], start, patches), k], dim=1)
            v = torch.cat([before(base.v[layer], start, patches), v], dim=1)
        return attention.attend(q, k, v)


def _check_supported(model: TransformerBridge) -> None:
    if any(point.fwd_hooks for point in model.hook_dict.values()):
        # the run that a sweep begins with would see them, the sweep itself would not
        raise ValueError(
            "expected a model without hooks, found some: take them off with model.reset_hooks()."
        )
    block = model.blocks[0]
    parts = {*_parts(block) - PARTS_OF_BLOCKS, *_parts(block.attn) - PARTS_OF_ATTENTION}
    if parts:
        raise ValueError(
            f"expected blocks of {', '.join(sorted(PARTS_OF_BLOCKS))} alone, got {model.cfg.architecture} with "
            f"{', '.join(sorted(parts))}, which is not implemented here: use hooks (helpers.hooks)."
        )
    for config in (model.cfg, getattr(model.original_model, "config", None)):
        for flag, implemented in COMPUTED_WITH.items():
            actual = getattr(config, flag, implemented)
            if actual != implemented:
                raise ValueError(
                    f"expected a model with {flag}={implemented}, got {actual}: "
                    "load it with load_model, which folds the scale of attention into W_Q."
                )


def _parts(module: torch.nn.Module) -> set[str]:
    """Return the names of a component's parts, without hooks and what the component wraps."""
    return {name for name, _ in module.named_children() if not name.startswith(("hook_", "_original"))}
