"""Model cards: everything in them is read from the recorded training run and measured on the shipped weights."""

import json
from math import exp

from helpers.build.model_facts import two_layer_facts
from helpers.models import DATA, load_shipped, shipped

CARD = """# {name}

{use}.

- **Architecture**: attention only, no MLP, no LayerNorm, no biases; shortformer positions (added to what Q and K read in every layer,
  never to V, never stored in the residual stream). {n_layers} layers, {n_heads} heads a layer, d_model {d_model}, d_head {d_head},
  context {n_ctx} tokens. {megabytes} MB, half precision.
- **Tokenizer**: `data/tokenizer`, byte-level BPE, {d_vocab} tokens; every word of `data/words.json` is one token after a space. A prompt
  starts with `<|bos|>`.
- **Corpus**: the public-domain books of [`data/corpus.md`](../corpus.md), {corpus_tokens:.1f} M tokens; six of them held out. The text is
  not part of this project: any folder of `.txt` files trains the same kind of model.
- **Training data**: windows of {n_ctx} tokens. In {repeated:.0%} of them {spans} spans of {span_lengths[0]}–{span_lengths[1]} tokens (log-uniform) are copied to
  later places of the same window. Positions start as sinusoids in {position_directions} directions, {position_length:g} times as long as the token embeddings.
- **Training**: {tokens:.1f} M tokens, batches of {batch} × {n_ctx}, AdamW, peak learning rate {lr:g}, seed {seed}.
  `{command}`: {minutes:.0f} minutes on {machine}, torch {torch}.
- **Loss** on held-out books: {loss:.3f} nats a token.
- **Measurements during training**: [`training.json`](training.json).

{facts}
"""


GPT2_CARD = """# {name}

{use}.

- **Architecture**: GPT-2 (LayerNorm, MLPs, learned positions, tied embedding), Hugging Face format. {n_layers} layers, {n_heads} heads a layer,
  d_model {d_model}, MLPs of {d_mlp}, context {n_ctx} tokens. {megabytes} MB, half precision.
- **Tokenizer**: `data/tokenizer`, byte-level BPE, {d_vocab} tokens; every name of `data/words.json` is one token after a space. A prompt
  starts with `<|bos|>`.
- **Training data**: rows of {n_ctx} tokens. {stories:.0%} of them are stories by a seeded generator (`helpers/stories.py`), in which the task
  occurs among much else; the others are windows of the public-domain books of [`data/corpus.md`](../corpus.md), {corpus_tokens:.1f} M tokens,
  with spans copied in {repeated:.0%} of them.
- **Training**: {tokens:.1f} M tokens, batches of {batch} × {n_ctx}, AdamW, peak learning rate {lr:g}, seed {seed}.
  `{command}`: {minutes:.0f} minutes on {machine}, torch {torch}.
- **Loss** (nats a token; perplexity): held-out books {loss:.3f} ({books:.1f}), held-out stories {story_loss:.3f} ({told:.1f}).
- **Measurements during training**: [`training.json`](training.json).

{facts}
"""


def _ioi_facts(last: dict) -> str:
    """The facts section of the IOI model's card, from its last record."""
    lines = [
        "## Facts",
        "",
        "128 prompts each: templates of the stories with names never told with them, and templates that are not in the stories.",
        "",
        "| templates | IO above S | logit difference ABBA | BABA | three different names |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in ("seen", "unseen"):
        found = last[name]
        lines.append(
            f"| {name} | {found['accuracy']:.3f} | {found['logit_diff_abba']:.3f} | {found['logit_diff_baba']:.3f} | "
            f"{found['logit_diff_abc']:.3f} |"
        )
    return "\n".join(lines)


def write_card(name: str) -> None:
    """Write ``data/NAME/README.md``."""
    run = json.loads((DATA / name / "training.json").read_text())
    recipe, last = run["recipe"], run["checkpoints"][-1]
    values = {
        **recipe,
        **shipped()[name],
        **run,
        "tokens": last["tokens"] / 1e6,
        "corpus_tokens": run["corpus_tokens"] / 1e6,
    }
    if "story_loss" in last:
        perplexity = {
            "books": exp(last["loss"]),
            "told": exp(last["story_loss"]),
            "story_loss": last["story_loss"],
        }
        text = GPT2_CARD.format(
            name=name,
            minutes=run["seconds"] / 60,
            loss=last["loss"],
            facts=_ioi_facts(last),
            **perplexity,
            **values,
        )
        (DATA / name / "README.md").write_text(text)
        return
    text = CARD.format(
        name=name, minutes=run["seconds"] / 60, loss=last["loss"], facts=facts(name, run, last), **values
    )
    (DATA / name / "README.md").write_text(text)


def facts(name: str, run: dict, last: dict) -> str:
    """The facts section; ``tests/test_model_facts.py`` asserts the same ones on other seeds."""
    if run["recipe"]["n_layers"] == 0:
        bigrams = run["bigrams"]
        return (
            f"## Facts\n\nIts predictions follow bigram statistics: over the {bigrams['pairs']:,} pairs of tokens that the corpus holds at "
            f"least 20 times, the rank correlation of the model's log-probability with the corpus's is {bigrams['spearman']:.3f}."
        )
    if run["recipe"]["n_layers"] == 1:
        return (
            f"## Facts\n\nNo induction: the highest induction score of a head is {max(last['induction_score']):.3f}. On random tokens that "
            f"repeat after 50, the second copy costs {last['second_copy_gain']:.3f} nats a token less than the first: one layer can raise "
            f"tokens it has seen, but nothing tells it which of them comes next."
        )
    measured = two_layer_facts(load_shipped(DATA / name))

    def row(title: str, key: str) -> str:
        return f"| {title} | " + " | ".join(f"{value:.3f}" for value in measured[key]) + " |"

    heads = range(run["recipe"]["n_heads"])
    return "\n".join(
        [
            "## Facts",
            "",
            f"On 32 sequences of random tokens that repeat after 50 (seed 0). Previous-token head {measured['previous_token_head']}, induction head "
            f"{measured['induction_head']}. The second copy costs {measured['second_copy_gain']:.2f} nats a token less than the first.",
            "",
            "| layer 0, head | " + " | ".join(f"0.{h}" for h in heads) + " |",
            "| --- " * (len(heads) + 1) + "|",
            row("previous-token score", "previous_token_score"),
            row(
                f"K-composition with {measured['induction_head']} (random level {measured['random_composition']:.3f})",
                "k_composition",
            ),
            row(
                f"share of {measured['induction_head']}'s induction score lost when zero-ablated",
                "ablation_drop",
            ),
            "",
            "| layer 1, head | " + " | ".join(f"1.{h}" for h in heads) + " |",
            "| --- " * (len(heads) + 1) + "|",
            row("induction score", "induction_score"),
            row("copying score of the full OV circuit", "eigenvalue_copying_score"),
        ]
    )
