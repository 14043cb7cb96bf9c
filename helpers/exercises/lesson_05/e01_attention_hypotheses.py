"""Exercise 5.1: hypotheses about attention between positions."""

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong

PLACES = ("IO", "S1", "S1+1", "S2", "END")
LATER = {  # the positions after a position; IO may stand before S1 or after S1+1
    "IO": ("S2", "END"),
    "S1": ("S1+1", "S2", "END"),
    "S1+1": ("S2", "END"),
    "S2": ("END",),
    "END": (),
}
REASONS = {
    "name mover": "END predicts the answer, and the answer is the other name: END must attend to IO.",
    "S-inhibition": "END must read which name to avoid, from a position that carries the information that S is repeated.",
    "duplicate token": "the second of two equal tokens attends to the first. The first cannot know yet that it will be repeated.",
    "previous token": "the key position stands right before the query position. This job prepares induction, so its own key must be S1.",
    "induction": "the query finds the position right after the earlier copy of its own token.",
}


def attention_hypotheses() -> dict[str, tuple[str, str]]:
    """Map every job to a pair: query position, key position."""
    return {
        "name mover": ("END", "IO"),
        "S-inhibition": ("END", "S2"),
        "duplicate token": ("S2", "S1"),
        "previous token": ("S1+1", "S1"),
        "induction": ("S2", "S1+1"),
    }


def _with(job: str, pair: tuple[str, str]):
    """The right answer with another pair for one job."""
    return lambda: attention_hypotheses() | {job: pair}


def _misplaced(job: str, pair: tuple[str, str]) -> Mistake:
    return Mistake(f"misplaced: {job}", REASONS[job], _with(job, pair))


def _every_job(trial: Trial) -> None:
    """Every job has the right pair of positions; the message is about the first that has not."""
    answer, right = trial.call(), attention_hypotheses()
    if not isinstance(answer, dict) or set(answer) != set(right):
        keys = list(answer) if isinstance(answer, dict) else type(answer).__name__
        raise Wrong("wrong jobs", f"expected a dictionary with the keys {', '.join(right)}, got {keys}.")
    for job, pair in answer.items():
        if not _is_pair_of_places(pair):
            raise Wrong(
                "unknown place",
                f"{job}: expected a pair (query position, key position), each one of {', '.join(PLACES)}, got {pair!r}.",
            )
    wrong = [job for job, pair in answer.items() if tuple(pair) != right[job]]
    if not wrong:
        return
    score = f"{len(right) - len(wrong)} of {len(right)} are right"
    empty = [job for job in wrong if "" in answer[job]]
    if empty:
        raise Wrong("not filled in", f"{score}, not filled in yet: {', '.join(empty)}.")
    raise _wrong_pair(wrong[0], *answer[wrong[0]], f"{score}. {wrong[0]}: ")


def _is_pair_of_places(pair) -> bool:
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(place in (*PLACES, "") for place in pair)


def _wrong_pair(job: str, query: str, key: str, intro: str) -> Wrong:
    if key in LATER[query]:
        return Wrong(
            "asks ahead", f"{intro}{query} cannot attend to {key}, which is later: attention is causal."
        )
    if query == key:
        return Wrong("asks itself", f"{intro}{query} would read nothing new from itself. {REASONS[job]}")
    return Wrong(f"misplaced: {job}", intro + REASONS[job])


EXERCISE = Exercise(
    id="5.1",
    title="query and key positions",
    minutes=8,
    difficulty=2,
    hints=(
        "Work backwards from END, where the answer is predicted. Which name must END copy, and which name must it not copy?",
        "A query attends only to its own position and to earlier positions.",
        "S2 can learn in two ways that S occurred before. S2 attends to S1 itself, or S2 attends to the position right after S1.",
    ),
    reference=attention_hypotheses,
    tests=(_every_job,),
    mistakes=(
        Mistake(
            "asks ahead",
            "the query position stands first in a pair, the key position second.",
            lambda: {job: pair[::-1] for job, pair in attention_hypotheses().items()},
        ),
        _misplaced("name mover", ("END", "S1")),
        _misplaced("S-inhibition", ("END", "S1")),
        _misplaced("duplicate token", ("END", "S2")),
        _misplaced("previous token", ("S2", "S1")),
        _misplaced("induction", ("S2", "S1")),
        Mistake(
            "asks itself", "a position reads nothing new from itself.", _with("duplicate token", ("S2", "S2"))
        ),
    ),
)
