"""Exercises of lesson 0: an attention pattern by hand, a hook that provably fired, a score that finds a head."""

import functools

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.shortformer import ShortformerModel, config, wrap


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@functools.cache
def small_model() -> TransformerBridge:
    """A random model in which no two axes have the same length."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ShortformerModel(config(n_layers=2, n_heads=3, d_model=20, d_head=5, n_ctx=16, d_vocab=11))
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.4)
    return wrap(model, None, "small random model")


# 0.1 ------------------------------------------------------------------------------------------------------------------


def attention_pattern(
    q: Float[Tensor, "query head d_head"], k: Float[Tensor, "key head d_head"]
) -> Float[Tensor, "head query key"]:
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones(len(q), len(k), dtype=torch.bool, device=q.device).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def no_scale(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key")
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def scaled_by_d_head(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1]
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def softmax_over_queries(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-2)


def softmax_over_heads(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf")).softmax(dim=0).nan_to_num()


def no_mask(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


def mask_the_past(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    past = torch.ones(len(q), len(k), dtype=torch.bool).tril(diagonal=-1)
    return scores.masked_fill(past, float("-inf")).softmax(dim=-1)


def mask_with_zero(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    return scores.tril().softmax(dim=-1)


def mask_after_softmax(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    return scores.softmax(dim=-1).tril()


def mask_itself_too(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=0)
    return scores.masked_fill(future, float("-inf")).softmax(dim=-1)


def keys_as_queries(q, k):
    return attention_pattern(k, q)


def no_softmax(q, k):
    scores = einsum(q, k, "query head d_head, key head d_head -> head query key") / q.shape[-1] ** 0.5
    future = torch.ones(len(q), len(k), dtype=torch.bool).triu(diagonal=1)
    return scores.masked_fill(future, float("-inf"))


def pattern_equals_torch(trial: Trial) -> None:
    """Oracle: torch's own causal attention, whose output is the pattern when the values are the identity."""
    for seed, (pos, heads, d_head) in enumerate([(4, 3, 8), (7, 2, 5), (1, 2, 3)]):
        q, k = torch.randn(2, pos, heads, d_head, generator=generator(seed)).unbind()
        by_head = [rearrange(x, "pos head d_head -> head pos d_head") for x in (q, k)]
        expected = F.scaled_dot_product_attention(*by_head, torch.eye(pos).expand(heads, pos, pos), is_causal=True)
        trial.matches((q, k), expected, "head query key")


def pattern_survives_large_scores(trial: Trial) -> None:
    """Scores of some hundreds must not overflow."""
    q = 40 * torch.randn(6, 2, 9, generator=generator(5))
    pattern = trial.call(q, q)
    if not torch.allclose(pattern.sum(-1), torch.ones(2, 6), atol=1e-4):
        raise Wrong("overflow", "with large scores the rows do not sum to 1: use softmax instead of exp and a division.")


# 0.2 ------------------------------------------------------------------------------------------------------------------


def ablate_head(
    model: TransformerBridge, tokens: Int[Tensor, "batch pos"], layer: int, head: int
) -> tuple[Float[Tensor, "batch pos d_vocab"], list]:
    seen = []

    def zero(z, hook):  # z: [batch pos head d_head]
        seen.append(z.shape)
        z[:, :, head] = 0
        return z

    logits = model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)])
    return logits, seen


def edit_a_copy(model, tokens, layer, head):
    seen = []

    def zero(z, hook):
        seen.append(z.shape)
        z = z.clone()
        z[:, :, head] = 0

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)]), seen


def ablate_a_position(model, tokens, layer, head):
    seen = []

    def zero(z, hook):
        seen.append(z.shape)
        z[:, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)]), seen


def ablate_the_layer(model, tokens, layer, head):
    seen = []

    def zero(z, hook):
        seen.append(z.shape)
        return torch.zeros_like(z)

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", zero)]), seen


def ablate_all_layers(model, tokens, layer, head):
    seen = []

    def zero(z, hook):
        seen.append(z.shape)
        z[:, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(lambda name: name.endswith("attn.hook_z"), zero)]), seen


def ablate_by_the_mean(model, tokens, layer, head):
    seen = []

    def mean(z, hook):
        seen.append(z.shape)
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", mean)]), seen


def ablation_equals_weights_cut(trial: Trial) -> None:
    """Oracle: a head whose W_O is zero stores nothing. The hook must have run once, on z, and have had that effect."""
    model = small_model()
    tokens = torch.randint(11, (4, 7), generator=generator(1))
    clean = model(tokens)
    for layer, head in [(0, 1), (1, 2), (0, 0)]:
        weight = model.blocks[layer].attn.o.weight  # [d_model, head × d_head]
        saved = weight.clone()
        weight[:, head * 5 : (head + 1) * 5] = 0
        expected = model(tokens)
        weight.copy_(saved)
        output = trial.call(model, tokens, layer, head)
        if not (isinstance(output, tuple | list) and len(output) == 2):
            raise Wrong("wrong type", f"expected two things, (logits, seen), got {type(output).__name__}.")
        logits, seen = output
        if not isinstance(seen, list):
            raise Wrong("wrong type", f"expected seen to be a list of shapes, got {type(seen).__name__}.")
        if len(seen) == 0:
            raise Wrong("the hook never fired", "seen is empty: the hook did not run. Is its name right, and does it append z.shape?")
        if isinstance(logits, Tensor) and logits.shape == clean.shape and torch.allclose(logits, clean, atol=1e-6):
            raise Wrong(
                "the hook had no effect",
                "the hook ran, but the logits are those of the clean run. An edit of a copy is lost unless the hook returns it; "
                "an edit of hook_attn_scores is discarded: edit hook_z.",
            )
        trial.matches((model, tokens, layer, head), expected, "batch pos d_vocab", pick=lambda output: output[0])
        if [tuple(shape) for shape in seen if isinstance(shape, tuple)] != [(4, 7, 3, 5)]:
            raise Wrong("wrong record", f"expected seen == [[4, 7, 3, 5]], the shape of z, once; got {[list(s) if isinstance(s, tuple) else s for s in seen]}.")


# 0.3 ------------------------------------------------------------------------------------------------------------------


def previous_token_scores(patterns: Float[Tensor, "layer head query key"]) -> Float[Tensor, "layer head"]:
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)


def current_token(patterns):
    return patterns.diagonal(offset=0, dim1=-2, dim2=-1).mean(dim=-1)


def next_token(patterns):
    return patterns.diagonal(offset=1, dim1=-2, dim2=-1).mean(dim=-1)


def two_back(patterns):
    return patterns.diagonal(offset=-2, dim1=-2, dim2=-1).mean(dim=-1)


def sum_not_mean(patterns):
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).sum(dim=-1)


def divided_by_length(patterns):
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).sum(dim=-1) / patterns.shape[-1]


def maximum_not_mean(patterns):
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).max(dim=-1).values


def heads_by_layers(patterns):
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1).T


def averaged_over_layers(patterns):
    return patterns.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=(0, -1))


def score_equals_loop(trial: Trial) -> None:
    """Oracle: the definition as a loop; and a perfect previous-token head scores 1, a perfect current-token head 0."""
    for seed, (layers, heads, pos) in enumerate([(2, 3, 5), (3, 4, 8)]):
        # attention to the future too: with it every diagonal differs, and so every mistake
        patterns = (3 * torch.randn(layers, heads, pos, pos, generator=generator(seed))).softmax(dim=-1)
        expected = torch.zeros(layers, heads)
        for query in range(1, pos):
            expected += patterns[:, :, query, query - 1] / (pos - 1)
        trial.matches((patterns,), expected, "layer head")
    perfect = torch.stack([torch.eye(6).roll(-1, dims=1), torch.eye(6)])[None]
    trial.matches((perfect,), torch.tensor([[1.0, 0.0]]), "layer head")


EXERCISES = [
    Exercise(
        id="0.1",
        title="an attention pattern from q and k",
        minutes=5,
        difficulty=1,
        hints=(
            "Three steps: the dot product of every query with every key, head by head; the division by √d_head; the softmax over the keys.",
            "A query may not look at later keys: set those scores to -inf before the softmax. torch.ones(n, n).triu(1) marks them.",
            "einsum(q, k, 'query head d_head, key head d_head -> head query key') is the first step.",
        ),
        reference=attention_pattern,
        tests=(pattern_equals_torch, pattern_survives_large_scores),
        mistakes=(
            Mistake("scale missing", "the scores are not divided by √d_head.", no_scale),
            Mistake("scale is d_head", "the scores are divided by d_head; divide by its square root.", scaled_by_d_head),
            Mistake("softmax over the query axis", "each column sums to 1; each row (a query) should: use dim=-1.", softmax_over_queries),
            Mistake("softmax over the head axis", "the softmax runs over the heads; it belongs over the keys, dim=-1.", softmax_over_heads),
            Mistake("mask missing", "queries look at later tokens: set those scores to -inf before the softmax.", no_mask),
            Mistake("mask on the wrong side", "the past is masked and the future is not: triu(1) marks the future.", mask_the_past),
            Mistake("masked with 0", "a masked score of 0 still gets weight, since exp(0) = 1: use -inf.", mask_with_zero),
            Mistake("mask after the softmax", "rows no longer sum to 1: mask before the softmax.", mask_after_softmax),
            Mistake("mask hides the query itself", "a query may look at its own position: the mask begins one above the diagonal.", mask_itself_too),
            Mistake("q and k swapped", "queries and keys are swapped: the query comes from q.", keys_as_queries),
            Mistake("softmax missing", "these are scores; a softmax over the keys makes them a pattern.", no_softmax),
        ),
    ),
    Exercise(
        id="0.2",
        title="zero-ablate a head, and prove that the hook fired",
        minutes=8,
        difficulty=2,
        hints=(
            "A hook is a function hook_function(activation, hook) that may edit the activation and return it.",
            "hook_z holds what each head read, [batch pos head d_head], before W_O stores it. Zero there means: stores nothing.",
            "model.run_with_hooks(tokens, fwd_hooks=[(f'blocks.{layer}.attn.hook_z', zero)]) runs once with the hook and takes it off again.",
        ),
        reference=ablate_head,
        tests=(ablation_equals_weights_cut,),
        mistakes=(
            Mistake("the hook had no effect", "the hook changed a copy and did not return it, so the edit was lost.", edit_a_copy),
            Mistake("ablated a position", "z[:, head] is a position: the axes of z are batch pos head d_head.", ablate_a_position),
            Mistake("ablated the whole layer", "all heads of the layer are zero; only one should be.", ablate_the_layer),
            Mistake("ablated every layer", "the hook ran in every layer; it belongs to blocks.{layer} only.", ablate_all_layers),
            Mistake("mean ablation", "the head's mean is put in its place; zero is asked for.", ablate_by_the_mean),
        ),
    ),
    Exercise(
        id="0.3",
        title="a score that finds previous-token heads",
        minutes=5,
        difficulty=1,
        hints=(
            "In a pattern [query, key], where do the entries lie whose key is query - 1?",
            "tensor.diagonal(offset=-1, dim1=-2, dim2=-1) takes the entries one below the diagonal, for all layers and heads at once.",
            "Average over the queries that have a previous token: n - 1 of them.",
        ),
        reference=previous_token_scores,
        tests=(score_equals_loop,),
        mistakes=(
            Mistake("current token", "this is the main diagonal, where a token attends to itself: go one below.", current_token),
            Mistake("next token", "this is the diagonal above, the future, which is always 0: use offset=-1.", next_token),
            Mistake("off by one", "this diagonal lies two below: the key is two tokens back.", two_back),
            Mistake("sum instead of mean", "the attention is summed over the queries; take the mean.", sum_not_mean),
            Mistake("divided by the length", "the first query has no previous token: divide by n - 1, not n.", divided_by_length),
            Mistake("maximum instead of mean", "the maximum over the queries tells of one token only; take the mean.", maximum_not_mean),
            Mistake("axes transposed", "expected [layer, head]; layer and head are swapped.", heads_by_layers),
            Mistake("averaged over the layers", "the layers are averaged together; keep the axis: [layer, head].", averaged_over_layers),
        ),
    ),
]
