"""Circuit golf: a submitted circuit is scored on hidden prompts; attempts are kept and shown."""

import functools
import json

from IPython.display import display
from transformer_lens.model_bridge import TransformerBridge

from helpers.behaviours import behaviour_prompts
from helpers.exercises import progress_file
from helpers.exercises.cards import Card
from helpers.golf import PAR, Course, Score, known_circuits
from helpers.theme import FAILED, NOTE, PASSED

MOST_SHOWN = 12  # attempts in the table
SMOLLM2 = (30, 9)  # layers and heads of the model whose best circuits are stored


def submit(model: TransformerBridge, behaviour: str, circuit: object) -> Score | None:
    """Score a circuit on the hidden prompts of a behaviour, keep the attempt and show all of them.

    Returns the score, or None for what is no circuit: that is explained and not kept.

    >>> from helpers.models import load_model
    >>> score = submit(load_model("attn-only-2l"), "ioi", {"END": [(1, 2)]})
    ✘ ioi: 1 head-position, faithfulness ...
    >>> score.size
    1
    """
    try:
        course = hidden_course(model, behaviour)
        score = course.score(circuit)
    except ValueError as error:
        display(Card("This circuit was not scored", [str(error)], NOTE))
        return None
    key = f"{behaviour}, {course.shape[0]} layers of {course.shape[1]} heads"
    entry = dict(
        size=str(score.size),
        faithfulness=f"{score.faithfulness:.4f}",
        text=str(score),
        circuit=json.dumps(course.circuit(course.mask(circuit))),
    )
    note = "" if entry in progress_file.attempts(key) else progress_file.record_attempt(key, **entry)
    tried = progress_file.attempts(key) or [entry]
    known = _known(model, behaviour) if course.shape[:2] == SMOLLM2 else {}
    display(_card(behaviour, score, [entry, *(other for other in tried if other != entry)], note, known))
    return score


@functools.lru_cache(maxsize=8)
def hidden_course(model: TransformerBridge, behaviour: str) -> Course:
    """Return the course on the hidden prompts of a behaviour; the last ones are kept.

    >>> from helpers.models import load_model
    >>> hidden_course(load_model("attn-only-2l"), "ioi").score({}).size
    0
    """
    return Course(model, behaviour_prompts(model.tokenizer, behaviour, hidden=True))


@functools.lru_cache(maxsize=8)
def _known(model: TransformerBridge, behaviour: str) -> dict[str, Score]:
    """Return the scores of the stored circuits on the hidden prompts."""
    course = hidden_course(model, behaviour)
    return {kind: course.score(circuit) for kind, circuit in known_circuits(behaviour).items()}


def _card(
    behaviour: str, score: Score, tried: list[dict[str, str]], note: str, known: dict[str, Score]
) -> Card:
    """Return the card of an attempt: it is the first of ``tried``, and of the table.

    Then come those that passed, the smallest first, and the others, the most faithful first.
    """
    positions = "1 head-position" if score.size == 1 else f"{score.size} head-positions"
    sign, colour = ("✔ ", PASSED) if score.passed else ("✘ ", FAILED)
    heading = f"{sign}{behaviour}: {positions}, faithfulness {score.percent} on hidden prompts"
    paragraphs = [
        f"Interval over templates: {score.low:.0%} to {score.high:.0%}. A circuit passes at {PAR:.0%}."
    ]
    if any(score.variants):
        fractions = ", ".join(f"{name} {value:.0%}" for name, value in score.variants.items())
        paragraphs.append(f"Fraction of the full model's logit difference: {fractions}.")
    if known:
        paragraphs.append(f"Greedy baseline: {known['greedy']}.")
        paragraphs.append(f"Smallest circuit that is known: {known['best']}.")
    rows = [*tried[:1], *sorted(tried[1:], key=_place)][:MOST_SHOWN]
    table = "\n".join(("✔ " if _passed(row) else "✘ ") + row["text"] for row in rows)
    hidden = f" ({len(tried) - len(rows)} more are kept)" if len(tried) > len(rows) else ""
    caption = f"This attempt, then your others{hidden}:" if len(tried) > 1 else "Your attempt:"
    return Card(heading, [*paragraphs, *([note] if note else []), caption], colour, table)


def _passed(row: dict[str, str]) -> bool:
    return float(row["faithfulness"]) >= PAR


def _place(row: dict[str, str]) -> tuple[bool, float]:
    return not _passed(row), int(row["size"]) if _passed(row) else -float(row["faithfulness"])
