"""A call of every measure, intervention, view and picture on one model, for tests on devices and on other vocabularies."""

from functools import cached_property

import torch

from helpers import (
    ablation,
    circuits,
    composition,
    heads,
    hooks,
    ioi,
    neurons,
    principal,
    residual,
    sequences,
    steering,
    trace,
)
from helpers.circuit_graph import read_circuit
from helpers.circuit_view import circuit_view
from helpers.components import head_weights
from helpers.discovery import EdgePatching, edge_effects
from helpers.edge_graph import read_edges
from helpers.edge_view import edge_view
from helpers.edges import strongest
from helpers.explorer.views.attention import show_attention
from helpers.explorer.views.circuit import show_circuit
from helpers.explorer.views.logit_lens import show_logit_lens
from helpers.explorer.views.memory import show_memory
from helpers.explorer.views.patching import show_effects, show_patch
from helpers.explorer.views.predictions import head_effects, show_predictions
from helpers.explorer.views.steering import show_steering
from helpers.forward import Forward
from helpers.line import read_line
from helpers.line_view import line_view
from helpers.patching import PARTS, patch_heads, patch_mlp, patch_residual, path_patch
from helpers.run import LogitDiff
from helpers.statistics import bootstrap, bootstrap_ratio, rank_correlation

SENDER, RECEIVER = (0, 1), (1, 2)


class Case:
    """What the calls share: a model of two layers or more, IOI prompts, and what they compute in it."""

    def __init__(self, model):
        self.model, self.tokenizer = model, model.tokenizer
        self.prompts = ioi.make_prompts(self.tokenizer, 8, held_out=False).to(model.W_E.device)
        self.tokens = self.prompts.tokens
        self.other = ioi.corrupted(self.prompts, "abc", self.tokenizer).tokens
        self.metric = LogitDiff(self.prompts.io_token, self.prompts.s_token)
        self.texts = [self.tokenizer.decode(row[1:]) for row in (self.tokens[0], self.other[0])]
        self.words = [self.tokenizer.decode(token) for token in self.tokens[0]]
        self.right, self.wrong = (
            self.tokenizer.decode(names[0]) for names in (self.prompts.io_token, self.prompts.s_token)
        )
        self.has_mlps = not model.cfg.attn_only

    @cached_property
    def run(self):
        return self.model.run_with_cache(self.tokens)

    @property
    def logits(self):
        return self.run[0]

    @property
    def cache(self):
        return self.run[1]

    @cached_property
    def one_text(self):
        return self.model.to_tokens(self.texts[0])

    @cached_property
    def weights(self):
        """W_Q, W_K, W_V, W_O of all query heads."""
        return head_weights(self.model)

    @cached_property
    def patterns(self):
        layers = range(self.model.cfg.n_layers)
        return torch.stack([self.cache[f"blocks.{layer}.attn.hook_pattern"] for layer in layers])

    @cached_property
    def z(self):
        return [self.cache[f"blocks.{layer}.attn.hook_z"] for layer in range(self.model.cfg.n_layers)]

    @cached_property
    def components(self):
        return residual.decompose(self.model, self.cache)[0]

    @cached_property
    def stream(self):
        return self.cache["blocks.1.hook_resid_pre"][0]

    @cached_property
    def repeated(self):
        return sequences.repeated_tokens(self.model, length=5, batch=3)

    @cached_property
    def loss(self):
        return sequences.loss_by_position(self.model(self.repeated), self.repeated)

    @cached_property
    def activations(self):
        """Of the first MLP: [text pos neuron]."""
        return self.cache["blocks.0.mlp.hook_post"]

    def one_head(self, *names):
        """Weights of head 1.2, such as ("W_Q", "W_K")."""
        by_name = dict(zip(("W_Q", "W_K", "W_V", "W_O"), self.weights))
        return [by_name[name][RECEIVER] for name in names]

    def logits_under(self, *fwd_hooks):
        with self.model.hooks(fwd_hooks=list(fwd_hooks)):
            return self.model(self.tokens)[:, -1]

    def subject(self, *names):
        """Arguments of the explorer's views."""
        values = dict(model=self.model, tokens=self.one_text, source=self.texts[1])
        values |= dict(right=self.right, wrong=self.wrong, ablated=(SENDER,))
        values |= dict(position=5, layer=RECEIVER[0], head=RECEIVER[1])
        return {name: values[name] for name in ("model", "tokens", *names)}


def patched(part, **options):
    return lambda c: patch_heads(c.model, c.other, c.tokens, c.metric, part, **options)


def ablated(kind):
    groups = dict(groups=torch.arange(8) // 2) if kind == "by template" else {}
    return lambda c: ablation.ablate(c.model, c.tokens, [SENDER, RECEIVER], c.metric, kind, c.other, **groups)


def path(receivers, via):
    return lambda c: path_patch(c.model, c.tokens, c.other, c.metric, [SENDER], receivers, via)


def circuit(c):
    shape = (c.model.cfg.n_layers, c.model.cfg.n_heads, *c.tokens.shape)
    keep = ablation.circuit_mask([SENDER, RECEIVER], c.prompts.end_pos.cpu().expand(2, -1), shape)
    means = ablation.head_means(c.model, c.other, c.prompts.template)
    return ablation.faithfulness(c.model, c.tokens, keep, means, c.metric)


def steered(c):
    direction = steering.contrast_vector(c.model, c.texts[:1], c.texts[1:], 1)
    hook = steering.steering_hook(direction, 1, 2.0)
    effects = steering.side_effects(c.model, c.tokens, [hook])
    return direction, effects, steering.generate(c.model, c.one_text, 3, [hook], temperature=0.0)


def factors(c):
    W_Q, W_K, W_V, W_O = c.one_head("W_Q", "W_K", "W_V", "W_O")
    return composition.factored_score(W_V, W_O, W_Q, W_K.T)


def edges_of(c) -> EdgePatching:
    """Runs in which edges are patched."""
    return EdgePatching(c.model, c.tokens, c.other, c.metric)


def some_scores(c) -> torch.Tensor:
    """A score for each edge."""
    exists = edges_of(c).graph.exists
    random = torch.rand(exists.shape, generator=torch.Generator().manual_seed(0))
    return random.masked_fill(~exists, torch.nan)


MEASURES = {
    "head outputs": lambda c: residual.head_outputs(c.z[0][:1], c.weights[3][:1]),
    "components": lambda c: c.components,
    "components read": lambda c: residual.components_read(c.model, c.cache, 1)[0],
    "spectrum": lambda c: residual.dimensions(residual.spectrum(c.stream)),
    "held-out fraction": lambda c: residual.held_out_fraction(c.stream[:6], c.stream[6:], 2),
    "principal coordinates": lambda c: principal.principal_coordinates(c.stream, 2).abs(),
    "separation": lambda c: principal.separation(c.stream[:, :4], c.stream[:, 5] > c.stream[:, 5].median()),
    "random separation": lambda c: principal.random_separation(
        c.stream, c.stream[:, 5] > c.stream[:, 5].median(), c.weights[3][0][:, :3]
    ),
    "principal cosines": lambda c: residual.principal_cosines(*c.one_head("W_Q", "W_K")),
    "projected out": lambda c: residual.project_out(c.stream, c.one_head("W_Q")[0]),
    "rotated": lambda c: residual.rotate(
        {f"W_{name}": c.stream.T @ c.stream for name in ("E", "pos", "O", "Q", "K", "V", "U")},
        c.stream.T @ c.stream,
    )["W_U"],
    "virtual weights": lambda c: residual.virtual_weights(c.weights[3][0], c.weights[0][1]),
    "logit attribution": lambda c: residual.direct_logit_attribution(c.components[:, -1], c.model.W_U, 7),
    "head attribution": lambda c: residual.head_logit_attribution(
        residual.head_outputs(torch.stack([z[:, -1] for z in c.z]), c.weights[3]),
        c.stream.new_ones(len(c.tokens)),
        c.model.W_U[:, c.prompts.io_token].T,
    ),
    "logit lens": lambda c: residual.logit_lens_ranks(c.stream, c.model.W_U, 7),
    "cosine and norm": lambda c: residual.cosine_and_norm_change(c.components[1:3], c.stream),
    "soft read": lambda c: circuits.soft_read(c.patterns[0, 0, 0], c.stream),
    "scores": lambda c: circuits.attention_scores(c.stream, c.stream, c.weights[0][1], c.weights[1][1]),
    "singular values": lambda c: circuits.singular_values(*c.one_head("W_V", "W_O")),
    "head output": lambda c: circuits.head_output(c.patterns[1, 0, 2], c.stream, *c.one_head("W_V", "W_O")),
    "bigrams": lambda c: circuits.bigram_table(c.tokens.flatten() % 9, 9),
    "full OV": lambda c: circuits.full_OV(c.model, *RECEIVER).A,
    "joint OV": lambda c: circuits.effective_OV(c.weights[2][0], c.weights[3][0]),
    "K-composition": lambda c: circuits.k_composition_circuit(
        c.model.W_E, *c.one_head("W_V", "W_O", "W_Q", "W_K")
    )[1][:, :9],
    "copying accuracy": lambda c: circuits.copying_accuracy(c.model.W_E[:600], c.model.W_U[:, :600]),
    "copying score": lambda c: circuits.eigenvalue_copying_score(*c.one_head("W_V", "W_O")),
    "previous position": lambda c: circuits.previous_position_weight(c.stream, *c.one_head("W_Q", "W_K")),
    "scores by component": lambda c: circuits.scores_by_component(
        c.components[:3], c.components[:2], *c.one_head("W_Q", "W_K")
    ),
    "skip trigrams": lambda c: circuits.skip_trigrams(c.stream[:, :4], c.stream[:4]),
    **{
        f"{port}-composition": lambda c, port=port: composition.composition_scores(c.model, port)
        for port in "qkv"
    },
    "factored score": factors,
    "pair scores": lambda c: composition.pair_scores(
        torch.stack([composition.reading_matrix("v", *(W[0, head] for W in c.weights)) for head in (0, 1)]),
        torch.stack([composition.reading_matrix("q", *(W[1, head] for W in c.weights)) for head in (0, 1)]),
    ),
    "port scores": lambda c: composition.port_scores(c.model.W_E, *(W[1] for W in c.weights)),
    "controls": lambda c: composition.control_scores(
        c.stream, c.stream.T, torch.linalg.qr(c.one_head("W_Q")[0] @ c.one_head("W_Q")[0].T).Q
    ),
    "alignment": lambda c: composition.alignment(c.one_head("W_O")[0], c.one_head("W_Q")[0]).sum(),
    "previous token": lambda c: heads.previous_token_score(c.patterns),
    "induction": lambda c: heads.induction_score(c.patterns, 5),
    "duplicate token": lambda c: heads.duplicate_token_score(c.patterns, 5),
    "current token": lambda c: heads.current_token_score(c.patterns),
    "first token": lambda c: heads.first_token_score(c.patterns),
    "neuron outputs": lambda c: neurons.neuron_outputs(
        c.stream[3], c.stream.T, c.stream[:, 0], c.stream, torch.relu
    ),
    "top contexts": lambda c: neurons.top_contexts(c.patterns[0, :, 0, -1], 3),
    "key and value": lambda c: neurons.key_value_cosine(c.stream.T, c.stream, c.stream[0]),
    "agreement": lambda c: neurons.agreement(
        c.patterns[0, :, :, -1].mT, c.tokens, c.tokens[0, : c.patterns.shape[2]], 3
    ),
    "labels": lambda c: neurons.label_fractions(c.patterns[0, :, :, -1].mT, c.tokens, 3),
    "steering": steered,
    "sampled text": lambda c: steering.generate(c.model, c.one_text, 3),
    "corruptions": lambda c: [
        ioi.corrupted(c.prompts, kind, c.tokenizer).tokens for kind in ("s2", "order", "names", "third")
    ],
    "tokens of the CPU": lambda c: c.model(c.tokens.cpu())[:, -1],
    "IOI": lambda c: ioi.logit_diff(c.logits[:, -1], c.prompts.io_token, c.prompts.s_token),
    "attention from END": lambda c: ioi.end_attention(c.model, c.prompts),
    "name copying": lambda c: ioi.name_copy_scores(c.model, c.prompts),
    "position and token": lambda c: ioi.position_and_token(c.loss[:4], c.loss[1:5], c.loss[2:6]),
    "second copy": lambda c: sequences.second_copy_gain(c.model, c.repeated),
    "in-context score": lambda c: sequences.in_context_score(c.loss, (0, 3), (5, 9)),
    "phase change": lambda c: sequences.phase_change(c.loss, c.loss),
    "rank correlation": lambda c: rank_correlation(c.loss, c.loss.flip(0)),
    "bootstrap": lambda c: bootstrap(c.loss, samples=50),
    "bootstrap of a ratio": lambda c: bootstrap_ratio(
        c.loss, c.loss + 1, torch.arange(len(c.loss)) % 2, samples=50
    ),
    "trace": lambda c: [str(access) for access in trace.address_trace(c.model, c.one_text)],
    "sizes": lambda c: trace.component_sizes(c.model, c.one_text)[0],
    "sizes in a direction": lambda c: trace.component_sizes(c.model, c.one_text, c.model.W_U[:, 7])[0],
    "a head patched": lambda c: c.model.run_with_hooks(
        c.tokens[:1], fwd_hooks=hooks.patch_hooks(c.model, c.other[:1], 1, "q", 2)
    )[:, -1],
    "heads replaced": lambda c: c.logits_under(*hooks.replace_z_hooks([SENDER, RECEIVER], c.z)),
    "a path cut": lambda c: c.logits_under(*hooks.cut_path_hooks(c.model, SENDER, RECEIVER, "k")),
    "stream patched": lambda c: patch_residual(c.model, c.other, c.tokens, c.metric),
    **{f"{part} patched": patched(part) for part in PARTS},
    **{f"{part} patched by position": patched(part, by_position=[-1, -3]) for part in PARTS},
    "shared values patched": patched("v", shared=True),
    "path to the logits": path("logits", "direct"),
    "path to a head": path([(*RECEIVER, "q"), (*RECEIVER, "v")], "direct"),
    **{f"ablation, {kind}": ablated(kind) for kind in ("zero", "mean", "resample", "by template")},
    "faithfulness": circuit,
    "score without a path": lambda c: ablation.score_with_path_cut(
        c.model, c.tokens, SENDER, RECEIVER, "q", lambda pattern: pattern.max()
    ),
    "z ablated": lambda c: ablation.ablate_z(c.z[0], 1, "mean", c.z[0]),
    "keys without a path": lambda c: ablation.keys_without_path(
        c.z[1], c.components[None, 1].expand(len(c.tokens), -1, -1), c.weights[1][1], 2
    ),
    "forward": lambda c: Forward(c.model).run(c.tokens).resid_pre[-1],
    "edges patched": lambda c: edges_of(c)(torch.eye(*edges_of(c).graph.exists.shape)),
    "edge effects": lambda c: edge_effects(edges_of(c), strongest(some_scores(c), 9)).nan_to_num(0),
    "edge view": lambda c: edge_view(read_edges(edges_of(c), some_scores(c), drawn=5, sizes=[3])),
    "line": lambda c: line_view(read_line(c.model, c.one_text)),
    "circuit view": lambda c: circuit_view(read_circuit(c.model, c.one_text, heads=[SENDER, RECEIVER])),
    "explorer: predictions": lambda c: show_predictions(**c.subject("position", "ablated")),
    "explorer: effects of heads": lambda c: head_effects(**c.subject("position")),
    "explorer: attention": lambda c: show_attention(**c.subject("position", "layer", "head", "ablated")),
    "explorer: circuit": lambda c: show_circuit(**c.subject("position", "ablated")),
    "explorer: memory": lambda c: show_memory(
        **c.subject("position", "layer", "head", "ablated", "right", "wrong"), colour="logit difference"
    ),
    "explorer: logit lens": lambda c: show_logit_lens(**c.subject("ablated")),
    "explorer: effects": lambda c: show_effects(**c.subject("source", "right", "wrong"), part="resid"),
    "explorer: patch": lambda c: show_patch(
        **c.subject("source", "right", "wrong", "position", "layer", "head"), part="k"
    ),
    **{
        f"explorer: steering by {kind}": lambda c, kind=kind: show_steering(
            **c.subject(),
            kind=kind,
            positive="the town",
            negative="a friend",
            word="garden",
            layer=1,
            strength=1.0,
        )
        for kind in ("contrast", "word")
    },
}
WITH_MLPS = {
    "MLP patched": lambda c: patch_mlp(c.model, c.other, c.tokens, c.metric),
    "path through MLPs": path("logits", "mlps"),
}
