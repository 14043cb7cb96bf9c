"""Attention-only transformer with shortformer positions, as a TransformerLens model.

The published two-layer model of the ARENA course has no MLP and no LayerNorm, and it keeps positions out of the
residual stream: the positional embedding is added to what Q and K read, in *every* layer, never to what V reads
(Press, Smith and Lewis 2020, "Shortformer", arXiv 2012.15832). With x the residual stream and p the positions,

    attention = softmax( (x + p) W_Q ((x + p) W_K)ᵀ / √d_head )        x ← x + attention x W_V W_O

TransformerLens 4 refuses this kind of position, so three small classes put it back on its native model.
"""

import math

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.model_bridge.sources import build_bridge_from_module
from transformer_lens.model_bridge.sources.native.model import NativeAttention, NativeBlock, NativeModel


class ShortformerAttention(NativeAttention):
    """Causal attention whose Q and K read ``x + p`` and whose V reads ``x``."""

    def forward(
        self, hidden_states: Float[Tensor, "batch pos d_model"], positions=None, pattern_fn=None, **_
    ):
        q = rearrange(
            self.q(hidden_states + positions), "batch pos (head d) -> batch head pos d", head=self.n_heads
        )
        k = rearrange(
            self.k(hidden_states + positions), "batch pos (head d) -> batch head pos d", head=self.n_heads
        )
        v = rearrange(self.v(hidden_states), "batch pos (head d) -> batch head pos d", head=self.n_heads)
        seq = hidden_states.shape[1]
        scores = (q @ k.mT / self.scale).masked_fill(self.causal_mask[:seq, :seq], float("-inf"))
        pattern = scores.softmax(dim=-1)
        if pattern_fn is not None:  # TransformerLens hands hook_pattern in here, so that an edit reaches z
            pattern = pattern_fn(pattern)
        return self.o(rearrange(pattern @ v, "batch head pos d -> batch pos (head d)")), pattern


class ShortformerBlock(NativeBlock):
    """One attention layer that adds its output to the residual stream and passes the positions on."""

    def __init__(self, cfg: TransformerBridgeConfig):
        super().__init__(cfg)
        self.attn = ShortformerAttention(cfg)

    def forward(self, hidden_states: Float[Tensor, "batch pos d_model"], positions=None, **_):
        # ln1 is the identity
        return (hidden_states + self.attn(self.ln1(hidden_states), positions=positions)[0],)


class ShortformerModel(NativeModel):
    """Token embedding, attention layers that see positions only in Q and K, unembedding.

    Sequences start at position 0 and have no padding: one length a batch.
    """

    def __init__(self, cfg: TransformerBridgeConfig):
        super().__init__(cfg)
        self.layers = nn.ModuleList(ShortformerBlock(cfg) for _ in range(cfg.n_layers))
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):  # TransformerLens expects biases; here they are zero and stay zero
                nn.init.zeros_(parameter)
                parameter.requires_grad_(False)

    def forward(self, input_ids: Int[Tensor, "batch pos"], **_) -> Float[Tensor, "batch pos d_vocab"]:
        residual = self.tok_embed(input_ids)
        positions = self.pos(torch.arange(input_ids.shape[1], device=input_ids.device)[None])
        for block in self.layers:
            (residual,) = block(residual, positions=positions)
        return self.head(self.ln_out(residual))


def wrap(model: ShortformerModel, tokenizer, model_name: str) -> TransformerBridge:
    """The model as a ``TransformerBridge`` in evaluation mode without gradients.

    The bridge takes the module over: use the bridge from here on. The tokenizer must have been loaded from a folder.
    """
    bridge = build_bridge_from_module(
        model,
        architecture="TransformerLensNative",
        tl_config=model.cfg,
        tokenizer=tokenizer,
        model_name=model_name,
    )
    return guarded(bridge.train(False).requires_grad_(False))


def guarded(bridge: TransformerBridge) -> TransformerBridge:
    """The bridge, which from here on meets tokens that its model can not read with a sentence."""
    n_ctx, d_vocab = bridge.cfg.n_ctx, bridge.cfg.d_vocab

    def meet(_, given):
        tokens = given[0] if given else torch.zeros(1, 1)
        if tokens.is_floating_point():  # embeddings
            return
        if not 1 <= tokens.shape[-1] <= n_ctx:
            raise ValueError(
                f"the prompt has {tokens.shape[-1]} tokens and this model reads 1 to {n_ctx}: give it another one"
            )
        if tokens.min() < 0 or tokens.max() >= d_vocab:
            raise ValueError(
                f"expected token ids from 0 to {d_vocab - 1}, got {tokens.min()} to {tokens.max()}: make them with model.to_tokens(text)"
            )

    bridge.original_model.register_forward_pre_hook(meet)
    return bridge


def config(**sizes: int) -> TransformerBridgeConfig:
    """The configuration of a shortformer model: ``n_layers n_heads d_model d_head n_ctx d_vocab``."""
    return TransformerBridgeConfig(attn_only=True, normalization_type=None, **sizes)


def sinusoids(n_ctx: int, directions: int) -> Float[Tensor, "n_ctx directions"]:
    """Sines and cosines of wavelengths spaced geometrically from 2.5 to 2 n_ctx positions; every row has length 1."""
    wavelength = 2.5 * (2 * n_ctx / 2.5) ** torch.linspace(0, 1, directions // 2)
    angle = 2 * math.pi * torch.arange(n_ctx)[:, None] / wavelength
    return torch.cat([angle.sin(), angle.cos()], dim=1) / math.sqrt(directions // 2)


@torch.no_grad()
def initialise(
    model: ShortformerModel, seed: int = 0, position_directions: int = 32, position_length: float = 2.0
) -> None:
    """Embeddings N(0, 0.5), weights N(0, 1/√d_model), unembedding half of that, positions sinusoids in random directions."""
    torch.manual_seed(seed)
    model.tok_embed.weight.normal_(0, 0.5)
    directions = torch.linalg.qr(torch.randn(model.cfg.d_model, position_directions)).Q.T
    length = position_length * 0.5 * math.sqrt(model.cfg.d_model)
    model.pos.weight.copy_(length * sinusoids(model.cfg.n_ctx, position_directions) @ directions)
    for block in model.layers:
        for projection in (block.attn.q, block.attn.k, block.attn.v, block.attn.o):
            projection.weight.normal_(0, model.cfg.d_model**-0.5)
    model.head.weight.normal_(0, 0.5 * model.cfg.d_model**-0.5)
