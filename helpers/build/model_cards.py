"""Model cards: every number is read from the recorded training run or measured on the weights."""

import json
from collections.abc import Sequence
from math import exp

from helpers import models
from helpers.build.model_facts import two_layer_facts

CARD = """# {name}

{use}.

- **Architecture**: {architecture}
- **Sizes**: {sizes}. {megabytes} MB in half precision.
- **Tokenizer**: `data/tokenizer`, byte-level BPE, {d_vocab} tokens. Every word of `data/words.json` is
  one token after a space. A prompt starts with `<|bos|>`.
- **Corpus**: the public-domain books of [`data/corpus.md`](../corpus.md), {corpus_tokens:.1f} M tokens,
  without six held-out books. The text is not part of this project: any folder of `.txt` files
  trains the same kind of model.
- **Training data**: {training_data}
- **Training**: {tokens:.1f} M tokens, batches of {batch} × {n_ctx}, AdamW, peak learning rate {lr:g}, seed {seed}.
  `{command}`: {minutes:.0f} minutes on {machine}, torch {torch}.
- **Loss** in nats per token: {losses}.
- **Measurements during training**: [`training.json`](training.json).

## Facts

{facts}
"""
SIZES = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "n_ctx")
ATTENTION_ONLY = dict(
    architecture="""\
attention only: no MLP, no LayerNorm, no biases. Shortformer positions are added to
  what Q and K read in every layer, never to what V reads, and never written to the residual stream.""",
    training_data="""\
windows of {n_ctx} tokens. In {repeated:.0%} of them {spans} spans of {span_lengths[0]}–{span_lengths[1]} tokens (log-uniform) are
  copied to later positions of the same window. Positions start as sinusoids in {position_directions} directions,
  {position_length:g} times as long as the token embeddings.""",
    losses="held-out books {loss:.3f}",
)
GPT2 = dict(
    architecture="GPT-2: LayerNorm, MLPs, learned positions, tied embedding; Hugging Face format.",
    training_data="""\
rows of {n_ctx} tokens. {stories:.0%} of them are stories by a seeded generator
  (`helpers/stories.py`), in which the task occurs among much else. The other rows are windows of the
  books; in {repeated:.0%} of these windows spans are copied.""",
    losses="held-out books {loss:.3f} (perplexity {book_perplexity:.1f}), held-out stories "
    "{story_loss:.3f} (perplexity {story_perplexity:.1f})",
)


def write_card(name: str) -> None:
    """Write ``data/NAME/README.md``."""
    folder = models.DATA / name
    run = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    recipe, last = run["recipe"], run["checkpoints"][-1]
    values = {**recipe, **models.shipped()[name], **run, **last}
    values |= dict(
        name=name,
        sizes=", ".join(f"{size} {recipe[size]}" for size in SIZES if size in recipe),
        tokens=last["tokens"] / 1e6,
        corpus_tokens=run["corpus_tokens"] / 1e6,
        minutes=run["seconds"] / 60,
        book_perplexity=exp(last["loss"]),
        story_perplexity=exp(last.get("story_loss", 0)),
        facts=facts(name, run),
    )
    family = GPT2 if "d_mlp" in recipe else ATTENTION_ONLY
    parts = {key: text.format(**values) for key, text in family.items()}
    (folder / "README.md").write_text(CARD.format(**parts, **values), encoding="utf-8")


def facts(name: str, run: dict) -> str:
    """Return the facts section; ``tests/test_model_facts.py`` asserts the same on other seeds."""
    last = run["checkpoints"][-1]
    if "d_mlp" in run["recipe"]:
        return _ioi_facts(last)
    if run["recipe"]["n_layers"] == 0:
        return _zero_layer_facts(run["bigrams"])
    if run["recipe"]["n_layers"] == 1:
        return _one_layer_facts(last)
    return _two_layer_facts(two_layer_facts(models.load_model(name)))


def _zero_layer_facts(bigrams: dict) -> str:
    return (
        f"The predictions follow bigram statistics. Over the {bigrams['pairs']:,} pairs of tokens that occur at least\n"
        "20 times in the corpus, the rank correlation of the model's log-probability with the corpus's\n"
        f"is {bigrams['spearman']:.3f}."
    )


def _one_layer_facts(last: dict) -> str:
    return (
        f"No induction head: the highest induction score of a head is {max(last['induction_score']):.3f}. On random\n"
        f"tokens that repeat after 50, the second copy costs {last['second_copy_gain']:.3f} nats per token less than the\n"
        "first. One layer can raise the logits of tokens that occurred before, but it cannot select the\n"
        "token that comes next."
    )


def _two_layer_facts(measured: dict) -> str:
    previous, induction = measured["previous_token_head"], measured["induction_head"]
    heads = range(len(measured["previous_token_score"]))
    first_layer = {
        "previous-token score": "previous_token_score",
        f"K-composition with {induction} (random baseline {measured['random_composition']:.3f})": "k_composition",
        f"fraction of {induction}'s induction score lost when zero-ablated": "ablation_drop",
    }
    second_layer = {
        "induction score": "induction_score",
        "copying score of the full OV circuit": "eigenvalue_copying_score",
    }
    tables = [
        _table(
            [f"layer {layer}, head", *(f"{layer}.{head}" for head in heads)],
            {title: measured[key] for title, key in rows.items()},
        )
        for layer, rows in enumerate((first_layer, second_layer))
    ]
    text = (
        f"On 32 sequences of random tokens that repeat after 50 (seed 0). Previous-token head {previous}, induction\n"
        f"head {induction}. The second copy costs {measured['second_copy_gain']:.2f} nats per token less than the first."
    )
    return "\n\n".join([text, *tables])


def _ioi_facts(last: dict) -> str:
    text = (
        "128 prompts each: templates of the stories, with names that never occur with them there, and\n"
        "templates that are not in the stories."
    )
    columns = ["accuracy", "logit_diff_abba", "logit_diff_baba", "logit_diff_abc"]
    header = ["templates", "IO above S", "logit difference ABBA", "BABA", "three different names"]
    rows = {name: [last[name][column] for column in columns] for name in ("seen", "unseen")}
    return f"{text}\n\n{_table(header, rows)}"


def _table(header: list[str], rows: dict[str, Sequence[float]]) -> str:
    """Return a Markdown table: a title per row, then its values with three decimals."""
    lines = [header, ["---"] * len(header)]
    lines += [[title, *(f"{value:.3f}" for value in values)] for title, values in rows.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
