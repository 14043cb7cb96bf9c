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

WORDS = json.loads((Path(__file__).parents[1] / "data/words.json").read_text())
NAMES, PLACES, OBJECTS = WORDS["names"], WORDS["places"], WORDS["objects"]
HELD_OUT = 4  # event number n is never told in training of the names whose index + n is a multiple of this

EVENTS = (
    "{A} and {B} went to the {place}",
    "{A} and {B} met at the {place}",
    "{A} and {B} had a long talk in the {place}",
    "{A} and {B} were working at the {place}",
    "{A} and {B} found a {object} in the {place}",
    "{A} and {B} were old friends",
    "{A} and {B} came to the {place}",
    "{A} and {B} were walking to the {place}",
    "{A} and {B} reached the {place}",
    "{A} and {B} were the only people in the {place}",
    "{A} and {B} lived near the {place}",
    "{A} and {B} got a {object} at the {place}",
    "{A} and {B} played in the {place}",
    "{A} and {B} were on the way to the {place}",
    "{A} and {B} had a meal at the {place}",
    "{A} and {B} waited before the {place}",
    "{A} and {B} looked for a {object} near the {place}",
    "{A} and {B} quarrelled about the {object}",
    "{A} and {B} were sitting by the fire",
    "{A} and {B} could not sleep",
    "there were only {A} and {B} in the {place}",
    "the {object} lay between {A} and {B}",
    "{A} saw {B} in the {place}",
    "{A} sat down beside {B} in the {place}",
    "{A} came to the {place} and called {B}",
    "{A} was looking for {B}",
)
ACTIONS = (
    "gave a {object} to {B}",
    "gave the {object} to {B}",
    "handed the {object} to {B}",
    "wanted to give a {object} to {B}",
    "decided to give the {object} to {B}",
    "said something to {B}",
    "decided to write to {B}",
    "sent a {object} to {B}",
    "brought the {object} to {B}",
    "sold the {object} and the {other} to {B}",
    "opened the {object} and showed it to {B}",
    "ran to {B}",
    "had a present for {B}",
    "brought a {object} and a {other} for {B}",
    "took the {object} away from {B}",
    "looked up and smiled at {B}",
    "had never been so angry with {B}",
    "would have liked to dance with {B}",
    "told a story, and nobody laughed but {B}",
    "ran away as fast as possible, followed by {B}",
    "lent a {object} to {B}",
    "offered the {object} to {B}",
    "passed the old {object} to {B}",
    "returned the {object} to {B}",
    "gave a very good {object} to {B}",
    "told a long story to {B}",
    "wrote a short letter to {B}",
    "whispered a few words to {B}",
    "said good morning to {B}",
    "spoke to {B}",
    "came up to {B}",
    "went over to {B}",
    "gave up the {object} to {B}",
    "listened to {B}",
    "bowed to {B}",
    "carried the {object} to {B}",
    "made a {object} for {B}",
    "bought the {object} for {B}",
    "kept the {object} for {B}",
    "was waiting for {B}",
    "looked at {B}",
    "shook hands with {B}",
    "shared the {object} with {B}",
    "walked away with {B}",
    "got the {object} from {B}",
    "had a letter from {B}",
)
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
UNSEEN = (  # neither their events nor their actions occur in the training stories
    "When the clock stopped, {A} and {B} left the {place}. {S} threw the {object} to",
    "Long after {A} and {B} had left the {place}, {S} read the old {object} to",
    "This time {A} and {B} stood before the {place}, where {S} read a long letter to",
    "Before they left the {place}, {A} and {B} stood together. {S} turned to",
)
EVENT_OF = (0, 5, 1, 7, 6, 6, 3, 4)  # of each of TEMPLATES: which names were never told with it


@dataclass(frozen=True)
class Prompts:
    """Prompts of one length, with the two names and the places where they stand; ``[prompt]`` unless noted."""

    tokens: Int[Tensor, "prompt pos"]
    io: Int[Tensor, " prompt"]  # token of the name that is due
    s: Int[Tensor, " prompt"]  # token of the name that acts
    template: Int[Tensor, " prompt"]
    IO: Int[Tensor, " prompt"]  # positions
    S1: Int[Tensor, " prompt"]
    S2: Int[Tensor, " prompt"]

    @property
    def END(self) -> Int[Tensor, " prompt"]:
        return torch.full_like(self.IO, self.tokens.shape[1] - 1)

    @property
    def abba(self) -> Bool[Tensor, " prompt"]:
        """True where the name that is due stands first ("Mary and John … John"), False for BABA."""
        return self.IO < self.S1

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, which: Tensor | slice) -> "Prompts":
        """Some of the prompts, by a mask, indices or a slice."""
        return Prompts(*(getattr(self, field.name)[which] for field in fields(self)))


def prompts(
    tokenizer, count: int, seed: int = 0, templates: Sequence[str] | None = None, held_out: bool = True
) -> Prompts:
    """``count`` prompts, templates in turn, ABBA and BABA in turn; names that were never told with the event in training.

    ``templates``: by default those of ours that are of one length in this tokenizer's tokens. ``held_out=False`` draws from all names, as for templates that are not of this course. Of names, places and objects only
    those are drawn that are one token of this tokenizer. A template may name ``{IO}`` once more.
    """
    templates = alike(tokenizer) if templates is None else templates
    rng = random.Random(seed)
    all_names, places, objects = (one_token_each(tokenizer, words) for words in (NAMES, PLACES, OBJECTS))
    rows, texts = [], []
    for number in range(count):
        template = templates[number // 2 % len(templates)]
        names = all_names
        if held_out and template in TEMPLATES:
            event = EVENT_OF[TEMPLATES.index(template)]
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


def one_token_each(tokenizer, words: Sequence[str]) -> list[str]:
    """Those of the words that are one token after a space."""
    encoded = tokenizer([f" {word}" for word in words], add_special_tokens=False).input_ids
    return [word for word, ids in zip(words, encoded) if len(ids) == 1]


def alike(tokenizer, templates: Sequence[str] = TEMPLATES) -> list[str]:
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
        ids = [single_token(tokenizer, name) for name in one_token_each(tokenizer, NAMES)]
        for row in range(len(given)):
            present = {given.io[row].item(), given.s[row].item()}
            a, b, c = rng.sample([token for token in ids if token not in present], 3)
            if kind != "third":
                tokens[row, given.IO[row]], tokens[row, given.S1[row]] = a, b
            tokens[row, given.S2[row]] = b if kind == "names" else c
    elif kind == "s2":
        tokens[rows, given.S2] = tokens[rows, given.IO]
    elif kind == "order":
        tokens[rows, given.IO], tokens[rows, given.S1] = (
            given.tokens[rows, where] for where in (given.S1, given.IO)
        )
        return replace(given, tokens=tokens, IO=given.S1, S1=given.IO)
    else:
        raise ValueError(f'expected a kind "abc", "names", "order", "s2" or "third", got {kind!r}')
    return replace(given, tokens=tokens)


def logit_diff(
    logits: Float[Tensor, "prompt d_vocab"], io: Int[Tensor, " prompt"], s: Int[Tensor, " prompt"]
) -> Float[Tensor, " prompt"]:
    """Logit of the name that is due minus logit of the name that acts, where the answer is due."""
    return (logits.gather(1, io[:, None]) - logits.gather(1, s[:, None]))[:, 0]


def end_attention(model: TransformerBridge, given: Prompts) -> Float[Tensor, "layer head name"]:
    """Mean attention of every head from the end to IO, S1 and S2."""
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.cfg.n_layers)]
    _, cache = model.run_with_cache(given.tokens, names_filter=names)
    rows = torch.arange(len(given))
    at_end = torch.stack([cache[name][:, :, -1] for name in names], dim=1)  # [prompt layer head key]
    return torch.stack(
        [at_end[rows, :, :, where].mean(dim=0) for where in (given.IO, given.S1, given.S2)], dim=-1
    )


def copy_score(
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


def copy_scores(model: TransformerBridge, given: Prompts, k: int = 5) -> Float[Tensor, "layer head"]:
    """The copy score of every head at the names, in the stream after the first layer."""
    _, cache = model.run_with_cache(given.tokens, names_filter="blocks.0.hook_resid_post")
    rows = torch.arange(len(given))
    stream = torch.cat([cache["blocks.0.hook_resid_post"][rows, where] for where in (given.IO, given.S1)])
    tokens = torch.cat([given.io, given.s]).to(stream.device)
    return torch.stack(
        [
            torch.stack([copy_score(stream, tokens, *head, model.W_U, k) for head in zip(W_V, W_O)])
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
