"""Indirect object identification: prompts, corruptions, and measures on them (Wang et al. 2022).

In "When Mary and John went to the store, John gave a drink to" the right answer is the indirect
object (IO, Mary), the name that has occurred once; the subject (S, John) has occurred twice.
https://arxiv.org/abs/2211.00593
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import head_weights
from helpers.models import DATA

_WORDS = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
NAMES, PLACES, OBJECTS = _WORDS["names"], _WORDS["places"], _WORDS["objects"]
HELD_OUT_MODULUS = 4  # training stories omit event n for names whose index + n is a multiple of this

# All have 17 tokens in the course's tokenizer, so a patch finds the same word at the same position.
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
TEMPLATE_EVENTS = (0, 5, 1, 7, 6, 6, 3, 4)  # number of each template's event in helpers.stories.EVENTS
UNSEEN_TEMPLATES = (  # neither their events nor their actions occur in the training stories
    "When the clock stopped, {A} and {B} left the {place}. {S} threw the {object} to",
    "Long after {A} and {B} had left the {place}, {S} read the old {object} to",
    "This time {A} and {B} stood before the {place}, where {S} read a long letter to",
    "Before they left the {place}, {A} and {B} stood together. {S} turned to",
)


@dataclass(frozen=True)
class Prompts:
    """Prompts of one length, with tokens and positions of both names; ``[prompt]`` unless noted."""

    tokens: Int[Tensor, "prompt pos"]
    io_token: Int[Tensor, " prompt"]  # the indirect object, the right answer
    s_token: Int[Tensor, " prompt"]  # the subject
    template: Int[Tensor, " prompt"]
    io_pos: Int[Tensor, " prompt"]
    s1_pos: Int[Tensor, " prompt"]
    s2_pos: Int[Tensor, " prompt"]

    @property
    def end_pos(self) -> Int[Tensor, " prompt"]:
        """Last position, at which the answer is predicted."""
        return torch.full_like(self.io_pos, self.tokens.shape[1] - 1)

    @property
    def abba(self) -> Bool[Tensor, " prompt"]:
        """True for prompts that name IO first ("Mary and John … John"), False for BABA."""
        return self.io_pos < self.s1_pos

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, rows: Tensor | slice) -> "Prompts":
        """Select prompts by a mask, indices or a slice."""
        return Prompts(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, device: str | torch.device) -> "Prompts":
        """Move all tensors to a device, such as ``model.cfg.device``."""
        return Prompts(*(getattr(self, field.name).to(device) for field in fields(self)))


def make_prompts(
    tokenizer, count: int, seed: int = 0, templates: Sequence[str] | None = None, held_out: bool = True
) -> Prompts:
    """Return ``count`` prompts: every template first as ABBA, then as BABA, then the next template.

    ``templates``: by default the largest group of ``TEMPLATES`` with one length in this tokenizer's
    tokens. A template names ``{A}``, ``{B}`` and ``{S}``, and may name ``{IO}``, ``{place}``,
    ``{object}`` and ``{other}`` (a second object). All words are single tokens of this tokenizer.
    ``held_out``: only names that did not occur with the template's event in training; False takes
    all names. Raises ``ValueError`` if the prompts differ in length.

    >>> from helpers.models import load_model
    >>> tokenizer = load_model("attn-only-2l").tokenizer
    >>> prompts = make_prompts(tokenizer, 2)
    >>> tokenizer.decode(prompts.tokens[0, 1:]), tokenizer.decode(prompts.io_token[0])
    ('When Tom and Helen went to the bridge, Helen decided to give the watch to', ' Tom')
    """
    templates = equal_length_templates(tokenizer) if templates is None else templates
    rng = random.Random(seed)
    names, places, objects = (single_token_words(tokenizer, words) for words in (NAMES, PLACES, OBJECTS))
    texts, answers = [], []
    for number in range(count):
        template = templates[number // 2 % len(templates)]
        io, s = rng.sample(_held_out_names(names, template) if held_out else names, 2)
        first, second = (io, s) if number % 2 == 0 else (s, io)
        thing, other = rng.sample(objects, 2)
        words = dict(A=first, B=second, S=s, IO=io, place=rng.choice(places), object=thing, other=other)
        texts.append(template.format_map(words))
        answers.append((single_token(tokenizer, io), single_token(tokenizer, s), templates.index(template)))
    return _with_positions(_encode(tokenizer, texts), *torch.tensor(answers).T)


def _held_out_names(names: list[str], template: str) -> list[str]:
    """Names that do not occur with the template's event in training; all for other templates."""
    if template not in TEMPLATES:
        return names
    event = TEMPLATE_EVENTS[TEMPLATES.index(template)]
    return [name for name in names if (NAMES.index(name) + event) % HELD_OUT_MODULUS == 0]


def _encode(tokenizer, texts: list[str]) -> Int[Tensor, "prompt pos"]:
    """Tokens of texts of one length, after beginning-of-text."""
    encoded = [tokenizer(text, add_special_tokens=False).input_ids for text in texts]
    lengths = {len(ids) for ids in encoded}
    if len(lengths) > 1:
        raise ValueError(
            f"expected prompts of one length, got {sorted(lengths)} tokens: use templates of equal length."
        )
    return torch.tensor([[tokenizer.bos_token_id, *ids] for ids in encoded])


def _with_positions(
    tokens: Int[Tensor, "prompt pos"],
    io: Int[Tensor, " prompt"],
    s: Int[Tensor, " prompt"],
    template: Int[Tensor, " prompt"],
) -> Prompts:
    """Prompts with the positions of the names looked up: IO, first S, last S."""
    is_io, is_s = ((tokens == name[:, None]).int() for name in (io, s))
    s2_pos = tokens.shape[1] - 1 - is_s.flip(1).argmax(dim=1)
    return Prompts(tokens, io, s, template, is_io.argmax(dim=1), is_s.argmax(dim=1), s2_pos)


def corrupted(prompts: Prompts, kind: str, tokenizer, seed: int = 0) -> Prompts:
    """Return the prompts with other names in them; ``io_token`` and ``s_token`` stay as they are.

    - "abc": three different names, none of them IO or S, so that no name is repeated.
    - "names": other names in the same order, so that only positions carry information about IO.
    - "order": the first two names exchanged (ABBA ↔ BABA), so that positions and names disagree.
    - "s2": IO in place of the second S, so that S becomes the right answer.
    - "third": a third name in place of the second S, so that no name is repeated.

    Raises ``ValueError`` for another kind.

    >>> from helpers.models import load_model
    >>> tokenizer = load_model("attn-only-2l").tokenizer
    >>> prompts = make_prompts(tokenizer, 8)
    >>> int((corrupted(prompts, "s2", tokenizer).tokens != prompts.tokens).sum())
    8
    """
    tokens, rows = prompts.tokens.clone(), torch.arange(len(prompts))
    if kind == "s2":
        tokens[rows, prompts.s2_pos] = tokens[rows, prompts.io_pos]
    elif kind == "order":
        io_pos, s1_pos = prompts.s1_pos, prompts.io_pos
        tokens[rows, io_pos] = prompts.tokens[rows, prompts.io_pos]
        tokens[rows, s1_pos] = prompts.tokens[rows, prompts.s1_pos]
        return replace(prompts, tokens=tokens, io_pos=io_pos, s1_pos=s1_pos)
    elif kind in ("abc", "names", "third"):
        rng = random.Random(seed)
        ids = [single_token(tokenizer, name) for name in single_token_words(tokenizer, NAMES)]
        for row in rows.tolist():
            present = {prompts.io_token[row].item(), prompts.s_token[row].item()}
            a, b, c = rng.sample([token for token in ids if token not in present], 3)
            if kind != "third":
                tokens[row, prompts.io_pos[row]], tokens[row, prompts.s1_pos[row]] = a, b
            tokens[row, prompts.s2_pos[row]] = b if kind == "names" else c
    else:
        raise ValueError(f'expected a kind "abc", "names", "order", "s2" or "third", got {kind!r}.')
    return replace(prompts, tokens=tokens)


def single_token(tokenizer, word: str) -> int:
    """Return the token of a word after a space; raise ``ValueError`` if it takes several tokens.

    >>> from helpers.models import load_model
    >>> tokenizer = load_model("attn-only-2l").tokenizer
    >>> tokenizer.decode(single_token(tokenizer, "Mary"))
    ' Mary'
    """
    ids = tokenizer(f" {word}", add_special_tokens=False).input_ids
    if len(ids) != 1:
        raise ValueError(
            f"expected a word that is one token, got {word!r} ({len(ids)} tokens): choose another."
        )
    return ids[0]


def single_token_words(tokenizer, words: Sequence[str]) -> list[str]:
    """Return the words that are one token after a space.

    >>> from helpers.models import load_model
    >>> single_token_words(load_model("attn-only-2l").tokenizer, ["Mary", "Bartholomew"])
    ['Mary']
    """
    encoded = tokenizer([f" {word}" for word in words], add_special_tokens=False).input_ids
    return [word for word, ids in zip(words, encoded) if len(ids) == 1]


def equal_length_templates(tokenizer, templates: Sequence[str] = TEMPLATES) -> list[str]:
    """Return the largest group of templates that have one length in this tokenizer's tokens.

    >>> from helpers.models import load_model
    >>> len(equal_length_templates(load_model("attn-only-2l").tokenizer))
    8
    """
    words = dict(A="Mary", B="John", S="John", place="house", object="book", other="key")
    lengths = [len(tokenizer(template.format_map(words)).input_ids) for template in templates]
    most = max(lengths, key=lengths.count)
    return [template for template, length in zip(templates, lengths) if length == most]


def logit_diff(
    logits: Float[Tensor, "prompt d_vocab"], io_token: Int[Tensor, " prompt"], s_token: Int[Tensor, " prompt"]
) -> Float[Tensor, " prompt"]:
    """Logit difference of each prompt at the last position: logit of IO minus logit of S.

    >>> logit_diff(torch.tensor([[0.0, 3.0, 1.0]]), torch.tensor([1]), torch.tensor([2]))
    tensor([2.])
    """
    return (logits.gather(1, io_token[:, None]) - logits.gather(1, s_token[:, None]))[:, 0]


def end_attention(model: TransformerBridge, prompts: Prompts) -> Float[Tensor, "layer head name"]:
    """Mean attention of every head from the last position to IO, S1 and S2.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> end_attention(model, make_prompts(model.tokenizer, 8)).shape
    torch.Size([2, 6, 3])
    """
    names = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.cfg.n_layers)]
    _, cache = model.run_with_cache(prompts.tokens, names_filter=names)
    rows = torch.arange(len(prompts))
    from_end = torch.stack([cache[name][:, :, -1] for name in names], dim=1)  # [prompt layer head key]
    positions = (prompts.io_pos, prompts.s1_pos, prompts.s2_pos)
    return torch.stack([from_end[rows, :, :, position].mean(dim=0) for position in positions], dim=-1)


def name_copy_score(
    stream: Float[Tensor, "name d_model"],
    tokens: Int[Tensor, " name"],
    W_V: Float[Tensor, "d_model d_head"],
    W_O: Float[Tensor, "d_head d_model"],
    W_U: Float[Tensor, "d_model d_vocab"],
    k: int,
) -> Float[Tensor, ""]:
    """Fraction of tokens among the ``k`` whose logits a head raises most when it attends to them.

    Row by row: the stream at a token times W_V W_O W_U, without LayerNorm and biases, which the
    code of Wang et al. 2022 (section 3.1) includes. Random weights score k / d_vocab.

    >>> I = torch.eye(3)
    >>> name_copy_score(I, torch.tensor([0, 1, 0]), I, I, I, k=1)
    tensor(0.6667)
    """
    logits = stream @ W_V @ W_O @ W_U
    return (logits.topk(k, dim=-1).indices == tokens[:, None]).any(dim=-1).float().mean()


def name_copy_scores(model: TransformerBridge, prompts: Prompts, k: int = 5) -> Float[Tensor, "layer head"]:
    """``name_copy_score`` of every head at IO and S1, in the stream after the first layer.

    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> name_copy_scores(model, make_prompts(model.tokenizer, 8)).shape
    torch.Size([2, 6])
    """
    _, cache = model.run_with_cache(prompts.tokens, names_filter="blocks.0.hook_resid_post")
    resid, rows = cache["blocks.0.hook_resid_post"], torch.arange(len(prompts))
    stream = torch.cat([resid[rows, position] for position in (prompts.io_pos, prompts.s1_pos)])
    tokens = torch.cat([prompts.io_token, prompts.s_token]).to(stream.device)
    W_V, W_O = (W.flatten(0, 1) for W in head_weights(model)[2:])  # [layer·head ...]
    scores = [name_copy_score(stream, tokens, *head, model.W_U, k) for head in zip(W_V, W_O)]
    return torch.stack(scores).unflatten(0, (model.cfg.n_layers, -1))


def position_and_token(
    diffs: Float[Tensor, " case"], position: Float[Tensor, " case"], token: Float[Tensor, " case"]
) -> Float[Tensor, " signal"]:
    """Least-squares fit of  diff = a · position + b · token, as [a, b].

    Each signal is 1 where it points to IO as in the original prompt, -1 where it points to S, and 0
    where it carries no information (Wang et al. 2022, appendix A).

    >>> signals = torch.tensor([1.0, -1.0]), torch.tensor([1.0, 1.0])
    >>> position_and_token(torch.tensor([5.0, -1.0]), *signals).round(decimals=3)
    tensor([3., 2.])
    """
    return torch.linalg.lstsq(torch.stack([position, token], dim=1), diffs).solution
