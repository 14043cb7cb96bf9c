"""Indirect object identification (Wang et al. 2022, https://arxiv.org/abs/2211.00593): prompts and what is measured on them.

"When Mary and John went to the store, John gave a drink to" is followed by the name that has stood only once.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

WORDS = json.loads((Path(__file__).parents[1] / "data/words.json").read_text(encoding="utf-8"))
NAMES, PLACES, OBJECTS = WORDS["names"], WORDS["places"], WORDS["objects"]
HELD_OUT = 4  # event number n is never told in training of the names whose index + n is a multiple of this

# Prompts of the lesson and the tests: all 17 tokens long, so that a patch finds the same word at the same position
TEMPLATES = (
    "When {A} and {B} went to the {place}, {S} decided to give the {object} to",
    "Because {A} and {B} were old friends, {S} wanted to give a {object} to",
    "One day {A} and {B} met at the {place}, and {S} sent a {object} to",
    "Then {A} and {B} were walking to the {place}. Then {S} brought the {object} to",
    "Now {A} and {B} came to the {place}. Later {S} handed the {object} to",
    "When {A} and {B} came to the {place}, {S} had never been so angry with",
    "While {A} and {B} were working at the {place}, {S} gave the {object} to",
    "After {A} and {B} found a {other} in the {place}, {S} had a present for",
)
UNSEEN_TEMPLATES = (  # neither their events nor their actions occur in the training stories
    "When the clock stopped, {A} and {B} left the {place}. {S} threw the {object} to",
    "Long after {A} and {B} had left the {place}, {S} read the old {object} to",
    "This time {A} and {B} stood before the {place}, where {S} read a long letter to",
    "Before they left the {place}, {A} and {B} stood together. {S} turned to",
)
TEMPLATE_EVENTS = (0, 5, 1, 7, 6, 6, 3, 4)  # of each of TEMPLATES: which names were never told with it


@dataclass(frozen=True)
class Prompts:
    """Prompts of one length, with the two names and the places where they stand; ``[prompt]`` unless noted."""

    tokens: Int[Tensor, "prompt pos"]
    io_token: Int[Tensor, " prompt"]  # the indirect object, the right answer
    s_token: Int[Tensor, " prompt"]  # the subject
    template: Int[Tensor, " prompt"]
    io_pos: Int[Tensor, " prompt"]
    s1_pos: Int[Tensor, " prompt"]
    s2_pos: Int[Tensor, " prompt"]

    @property
    def end_pos(self) -> Int[Tensor, " prompt"]:
        return torch.full_like(self.io_pos, self.tokens.shape[1] - 1)

    @property
    def abba(self) -> Bool[Tensor, " prompt"]:
        """True where the name that is due stands first ("Mary and John … John"), False for BABA."""
        return self.io_pos < self.s1_pos

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, which: Tensor | slice) -> "Prompts":
        """Some of the prompts, by a mask, indices or a slice."""
        return Prompts(*(getattr(self, field.name)[which] for field in fields(self)))


def make_prompts(
    tokenizer, count: int, seed: int = 0, templates: Sequence[str] | None = None, held_out: bool = True
) -> Prompts:
    """``count`` prompts, templates in turn, ABBA and BABA in turn; names that were never told with the event in training.

    ``templates``: by default those of ours that are of one length in this tokenizer's tokens. ``held_out=False`` draws from all names, as for templates that are not of this course. Of names, places and objects only
    those are drawn that are one token of this tokenizer. A template may name ``{IO}`` once more.
    """
    templates = equal_length_templates(tokenizer) if templates is None else templates
    rng = random.Random(seed)
    all_names, places, objects = (single_token_words(tokenizer, words) for words in (NAMES, PLACES, OBJECTS))
    rows, texts = [], []
    for number in range(count):
        template = templates[number // 2 % len(templates)]
        names = all_names
        if held_out and template in TEMPLATES:
            event = TEMPLATE_EVENTS[TEMPLATES.index(template)]
            names = [name for name in names if (NAMES.index(name) + event) % HELD_OUT == 0]
        io, s = rng.sample(names, 2)
        first, second = (io, s) if number % 2 == 0 else (s, io)
        object, other = rng.sample(objects, 2)
        words = dict(A=first, B=second, S=s, IO=io, place=rng.choice(places), object=object, other=other)
        texts.append(template.format_map(words))
        rows.append((single_token(tokenizer, io), single_token(tokenizer, s), templates.index(template)))
    encoded = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    lengths = {len(ids) for ids in encoded}
    if len(lengths) > 1:
        raise ValueError(
            f"expected prompts of one length, got {sorted(lengths)} tokens: use templates of equal length."
        )
    tokens = torch.tensor([[tokenizer.bos_token_id, *ids] for ids in encoded])
    io, s, template = torch.tensor(rows).T
    where = (tokens == s[:, None]).int()
    S2 = tokens.shape[1] - 1 - where.flip(1).argmax(dim=1)
    return Prompts(
        tokens, io, s, template, (tokens == io[:, None]).int().argmax(dim=1), where.argmax(dim=1), S2
    )


def single_token_words(tokenizer, words: Sequence[str]) -> list[str]:
    """Those of the words that are one token after a space."""
    encoded = tokenizer([f" {word}" for word in words], add_special_tokens=False).input_ids
    return [word for word, ids in zip(words, encoded) if len(ids) == 1]


def equal_length_templates(tokenizer, templates: Sequence[str] = TEMPLATES) -> list[str]:
    """The largest group of templates that are of one length in the tokenizer's tokens."""
    words = dict(A="Mary", B="John", S="John", place="house", object="book", other="key")
    lengths = [len(tokenizer(template.format_map(words)).input_ids) for template in templates]
    most = max(lengths, key=lengths.count)
    return [template for template, length in zip(templates, lengths) if length == most]


def single_token(tokenizer, name: str) -> int:
    """The token of a name after a space."""
    ids = tokenizer(f" {name}", add_special_tokens=False).input_ids
    if len(ids) != 1:
        raise ValueError(
            f"expected a word that is one token, got {name!r} ({len(ids)} tokens): choose another."
        )
    return ids[0]


def corrupted(given: Prompts, kind: str, tokenizer, seed: int = 0) -> Prompts:
    """The same prompts with other names in them. ``io`` and ``s`` stay: they are what the answer is measured by.

    "abc": three different new names, so that nothing says who is due. "names": two new names in the same order, so that only
    position tells. "order": the two names of the opening exchanged (ABBA ↔ BABA), so that position and name point in different
    ways. "s2": the name of IO acts, so that the other answer is right. "third": a new name acts, and nobody is repeated.
    """
    rng, tokens = random.Random(seed), given.tokens.clone()
    rows = torch.arange(len(given))
    if kind in ("abc", "names", "third"):
        ids = [single_token(tokenizer, name) for name in single_token_words(tokenizer, NAMES)]
        for row in range(len(given)):
            present = {given.io_token[row].item(), given.s_token[row].item()}
            a, b, c = rng.sample([token for token in ids if token not in present], 3)
            if kind != "third":
                tokens[row, given.io_pos[row]], tokens[row, given.s1_pos[row]] = a, b
            tokens[row, given.s2_pos[row]] = b if kind == "names" else c
    elif kind == "s2":
        tokens[rows, given.s2_pos] = tokens[rows, given.io_pos]
    elif kind == "order":
        tokens[rows, given.io_pos], tokens[rows, given.s1_pos] = (
            given.tokens[rows, where] for where in (given.s1_pos, given.io_pos)
        )
        return replace(given, tokens=tokens, io_pos=given.s1_pos, s1_pos=given.io_pos)
    else:
        raise ValueError(f'expected a kind "abc", "names", "order", "s2" or "third", got {kind!r}')
    return replace(given, tokens=tokens)


def logit_diff(
    logits: Float[Tensor, "prompt d_vocab"], io_token: Int[Tensor, " prompt"], s_token: Int[Tensor, " prompt"]
) -> Float[Tensor, " prompt"]:
    """Logit of the name that is due minus logit of the name that acts, where the answer is due."""
    return (logits.gather(1, io_token[:, None]) - logits.gather(1, s_token[:, None]))[:, 0]


def end_attention(model: TransformerBridge, given: Prompts) -> Float[Tensor, "layer head name"]:
    """Mean attention of every head from the end to IO, S1 and S2."""
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.cfg.n_layers)]
    _, cache = model.run_with_cache(given.tokens, names_filter=names)
    rows = torch.arange(len(given))
    at_end = torch.stack([cache[name][:, :, -1] for name in names], dim=1)  # [prompt layer head key]
    return torch.stack(
        [at_end[rows, :, :, where].mean(dim=0) for where in (given.io_pos, given.s1_pos, given.s2_pos)],
        dim=-1,
    )


def name_copy_score(
    stream: Float[Tensor, "name d_model"],
    tokens: Int[Tensor, " name"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    W_U: Float[Tensor, "d_model d_vocab"],
    k: int,
) -> Float[Tensor, ""]:
    """Share of the tokens that are among the ``k`` a head would raise most if it attended to them fully (Wang et al. 2022, 3.1).

    Row by row: the stream at a token, through W_V W_O W_U. LayerNorm (folded) scales a row, which changes no order.
    """
    logits = stream @ W_V @ W_O @ W_U
    return (logits.topk(k, dim=-1).indices == tokens[:, None]).any(dim=-1).float().mean()


def name_copy_scores(model: TransformerBridge, given: Prompts, k: int = 5) -> Float[Tensor, "layer head"]:
    """The copy score of every head at the names, in the stream after the first layer."""
    _, cache = model.run_with_cache(given.tokens, names_filter="blocks.0.hook_resid_post")
    rows = torch.arange(len(given))
    stream = torch.cat(
        [cache["blocks.0.hook_resid_post"][rows, where] for where in (given.io_pos, given.s1_pos)]
    )
    tokens = torch.cat([given.io_token, given.s_token]).to(stream.device)
    return torch.stack(
        [
            torch.stack([name_copy_score(stream, tokens, *head, model.W_U, k) for head in zip(W_V, W_O)])
            for W_V, W_O in zip(model.W_V, model.W_O)
        ]
    )


def position_and_token(
    diffs: Float[Tensor, " case"], position: Float[Tensor, " case"], token: Float[Tensor, " case"]
) -> Float[Tensor, " signal"]:
    """The two numbers of the best fit  diff = a · position + b · token , least squares (Wang et al. 2022, appendix A).

    Each signal is 1 where it says what it says in the original prompt, -1 where it says the opposite, 0 where it says nothing.
    """
    return torch.linalg.lstsq(torch.stack([position, token], dim=1), diffs).solution
