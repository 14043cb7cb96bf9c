"""Attention-only transformer with shortformer positions, as a TransformerLens model.

The published two-layer model of the ARENA course has no MLP and no LayerNorm, and it keeps
positions out of the residual stream: the positional embedding is added to what Q and K read, in
*every* layer, never to what V reads (Press, Smith and Lewis 2020, "Shortformer", arXiv 2012.15832).
With x the residual stream and p the positions,

    attention = softmax( (x + p) W_Q ((x + p) W_K)ᵀ / √d_head )      x ← x + attention x W_V W_O

TransformerLens 4 refuses this kind of position, so three small classes put it back on its native
model.
"""

import copy
import math
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformer_lens.model_bridge.sources.native.model import (
    NativeAttention,
    NativeBlock,
    NativeModel,
)

EMBEDDING_STD = 0.5  # of every entry of the token embedding, before training


class ShortformerModel(NativeModel):
    """Token embedding, attention layers that see positions only in Q and K, unembedding.

    Sequences start at position 0 and have no padding: all texts of a batch have the same length.

    >>> sizes = config(n_layers=1, n_heads=2, d_model=8, d_head=4, n_ctx=5, d_vocab=7)
    >>> ShortformerModel(sizes)(torch.tensor([[0, 3, 6]])).shape
    torch.Size([1, 3, 7])
    """

    def __init__(self, cfg: TransformerBridgeConfig):
        super().__init__(cfg)
        self.layers = nn.ModuleList(ShortformerBlock(cfg) for _ in range(cfg.n_layers))
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):  # TransformerLens expects biases; here they stay zero
                nn.init.zeros_(parameter)
                parameter.requires_grad_(False)

    def forward(self, input_ids: Int[Tensor, "batch pos"], **_) -> Float[Tensor, "batch pos d_vocab"]:
        residual = self.tok_embed(input_ids)
        positions = self.pos(torch.arange(input_ids.shape[1], device=input_ids.device)[None])
        for block in self.layers:
            (residual,) = block(residual, positions=positions)
        return self.head(self.ln_out(residual))


class ShortformerBlock(NativeBlock):
    """Attention layer that adds its output to the residual stream and reads the positions."""

    def __init__(self, cfg: TransformerBridgeConfig):
        super().__init__(cfg)
        self.attn = ShortformerAttention(cfg)

    def forward(self, hidden_states: Float[Tensor, "batch pos d_model"], positions=None, **_):
        # ln1 is the identity
        return (hidden_states + self.attn(self.ln1(hidden_states), positions=positions)[0],)


class ShortformerAttention(NativeAttention):
    """Causal attention whose Q and K read ``x + p`` and whose V reads ``x``."""

    scores_fn = None  # sees and may change the scores; wrap makes it hook_attn_scores

    def forward(
        self, hidden_states: Float[Tensor, "batch pos d_model"], positions=None, pattern_fn=None, **_
    ):
        q = self._by_head(self.q(hidden_states + positions))
        k = self._by_head(self.k(hidden_states + positions))
        v = self._by_head(self.v(hidden_states))
        n = hidden_states.shape[1]
        scores = (q @ k.mT / self.scale).masked_fill(self.causal_mask[:n, :n], float("-inf"))
        if self.scores_fn is not None:
            scores = self.scores_fn(scores)
        pattern = scores.softmax(dim=-1)  # [batch head query key]
        if pattern_fn is not None:  # TransformerLens passes hook_pattern, so an edit reaches z
            pattern = pattern_fn(pattern)
        return (self.o(rearrange(pattern @ v, "batch head pos d -> batch pos (head d)")),)

    def _by_head(self, x: Float[Tensor, "batch pos d"]) -> Float[Tensor, "batch head pos d_head"]:
        return rearrange(x, "batch pos (head d_head) -> batch head pos d_head", head=self.n_heads)


def config(**sizes: int) -> TransformerBridgeConfig:
    """Configuration of a shortformer model: ``n_layers n_heads d_model d_head n_ctx d_vocab``.

    >>> config(n_layers=2, n_heads=3, d_model=20, d_head=5, n_ctx=16, d_vocab=11).attn_only
    True
    """
    return TransformerBridgeConfig(attn_only=True, normalization_type=None, **sizes)


@torch.no_grad()
def initialise(
    model: ShortformerModel, seed: int = 0, position_directions: int = 32, position_length: float = 2.0
) -> None:
    """Set the weights that training starts from.

    Token embeddings are N(0, ½), attention weights N(0, 1/√d_model), the unembedding half of that.
    Positions are sinusoids in ``position_directions`` random directions, ``position_length`` times
    as long as a token embedding.
    """
    torch.manual_seed(seed)
    d_model = model.cfg.d_model
    model.tok_embed.weight.normal_(0, EMBEDDING_STD)
    directions = torch.linalg.qr(torch.randn(d_model, position_directions)).Q.T
    length = position_length * EMBEDDING_STD * math.sqrt(d_model)
    model.pos.weight.copy_(length * sinusoids(model.cfg.n_ctx, position_directions) @ directions)
    for block in model.layers:
        for projection in (block.attn.q, block.attn.k, block.attn.v, block.attn.o):
            projection.weight.normal_(0, d_model**-0.5)
    model.head.weight.normal_(0, 0.5 * d_model**-0.5)


def sinusoids(n_ctx: int, directions: int) -> Float[Tensor, "n_ctx directions"]:
    """Sines and cosines of ``directions / 2`` wavelengths; every row has length 1.

    Wavelengths are spaced geometrically from 2.5 to 2 n_ctx positions.

    >>> sinusoids(3, 4)[0]
    tensor([0.0000, 0.0000, 0.7071, 0.7071])
    """
    wavelength = 2.5 * (2 * n_ctx / 2.5) ** torch.linspace(0, 1, directions // 2)
    angle = 2 * math.pi * torch.arange(n_ctx)[:, None] / wavelength
    return torch.cat([angle.sin(), angle.cos()], dim=1) / math.sqrt(directions // 2)


def wrap(model: NativeModel, tokenizer, model_name: str) -> TransformerBridge:
    """Return the model as a ``TransformerBridge`` in evaluation mode without gradients.

    The bridge holds a copy of the model, so training may go on. A tokenizer must have been loaded
    from a folder; ``None`` gives a model that reads token ids only.

    >>> sizes = config(n_layers=1, n_heads=2, d_model=8, d_head=4, n_ctx=5, d_vocab=7)
    >>> wrap(ShortformerModel(sizes), None, "example").W_Q.shape
    torch.Size([1, 2, 8, 4])
    """
    bridge = build_bridge_from_module(
        copy.deepcopy(model),  # a module can be wrapped once: later bridges of it would lack hooks
        architecture="TransformerLensNative",
        tl_config=model.cfg,
        tokenizer=tokenizer,
        model_name=model_name,
    )
    for block in bridge.blocks:  # a partial is copied with the bridge, and is no module of its own
        if isinstance(model, ShortformerModel):
            block.attn.original_component.scores_fn = partial(HookPoint.__call__, block.attn.hook_attn_scores)
    return guarded(bridge.train(False).requires_grad_(False))


def guarded(bridge: TransformerBridge) -> TransformerBridge:
    """Return the bridge, made to raise ``ValueError`` for tokens that its model cannot read.

    Tokens on another device are moved to that of the model.
    """
    n_ctx, d_vocab = bridge.cfg.n_ctx, bridge.cfg.d_vocab

    def check_tokens(module: nn.Module, arguments: tuple) -> tuple:
        if not arguments or arguments[0].is_floating_point():  # embeddings
            return arguments
        tokens = arguments[0]
        if not 1 <= tokens.shape[-1] <= n_ctx:
            raise ValueError(
                f"the prompt has {tokens.shape[-1]} tokens and this model reads 1 to {n_ctx}: "
                "give it a prompt of another length."
            )
        if tokens.min() < 0 or tokens.max() >= d_vocab:
            raise ValueError(
                f"expected token ids from 0 to {d_vocab - 1}, got {tokens.min()} to {tokens.max()}: "
                "make them with model.to_tokens(text)."
            )
        return tokens.to(next(module.parameters()).device), *arguments[1:]

    bridge.original_model.register_forward_pre_hook(check_tokens)
    return bridge
