"""Exercise 5.1: the puzzle of the line."""

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong

PLACES = ("IO", "S1", "S1+1", "S2", "END")
AHEAD = {  # who stands further ahead; IO may stand before S1 or after S1+1
    "IO": ("S2", "END"),
    "S1": ("S1+1", "S2", "END"),
    "S1+1": ("S2", "END"),
    "S2": ("END",),
    "END": (),
}
WHY = {
    "name mover": "the answer is said at END, and it is the other name: END has to ask IO.",
    "S-inhibition": "END must be told whom not to name, by somebody who has found out that they are a repeat.",
    "duplicate token": "the second of two equals asks the first: the first can not know yet that it will be repeated.",
    "previous token": "it asks whoever stands right before it. For induction it must stand where S1 is the one right before.",
    "induction": 'it asks "who has somebody like me right behind them?": the neighbour after the earlier copy.',
}


def attention_hypotheses() -> dict[str, tuple[str, str]]:
    """Job → (who asks, who is asked)."""
    return {
        "name mover": ("END", "IO"),
        "S-inhibition": ("END", "S2"),
        "duplicate token": ("S2", "S1"),
        "previous token": ("S1+1", "S1"),
        "induction": ("S2", "S1+1"),
    }


def _asked_and_asker():
    return {
        "name mover": ("IO", "END"),
        "S-inhibition": ("S2", "END"),
        "duplicate token": ("S1", "S2"),
        "previous token": ("S1", "S1+1"),
        "induction": ("S1+1", "S2"),
    }


def _but(**jobs):
    """The right answer with some jobs changed; ``_`` stands for a space or hyphen."""

    def answer():
        return attention_hypotheses() | {
            job.replace("S_", "S-").replace("_", " "): pair for job, pair in jobs.items()
        }

    return answer


def _every_job(trial: Trial) -> None:
    """Every job named, every place known, nobody asks ahead, and each at its place."""
    found, right = trial.call(), attention_hypotheses()
    if not isinstance(found, dict) or set(found) != set(right):
        raise Wrong("wrong jobs", f"return a dictionary with the keys {', '.join(right)}.")
    for job, pair in found.items():
        if (
            not isinstance(pair, tuple | list)
            or len(pair) != 2
            or any(place not in (*PLACES, "") for place in pair)
        ):
            raise Wrong(
                "unknown place",
                f"{job}: expected (asker, asked), each one of {', '.join(PLACES)}, got {pair!r}.",
            )
    wrong = [job for job, pair in found.items() if tuple(pair) != right[job]]
    if not wrong:
        return
    empty = [job for job in wrong if "" in found[job]]
    if empty:
        stand = f"{len(right) - len(wrong)} of {len(right)} stand right"
        raise Wrong("not filled in", f"{stand}, not filled in yet: {', '.join(empty)}.")
    job = wrong[0]
    asker, asked = found[job]
    score = f"{len(right) - len(wrong)} of {len(right)} stand right. {job}: "
    if asked in AHEAD[asker]:
        raise Wrong(
            "asks ahead",
            f"{score}{asker} can not ask {asked}, who stands further ahead: one may only ask those behind.",
        )
    if asker == asked:
        raise Wrong("asks itself", f"{score}{asker} would learn nothing from itself. {WHY[job]}")
    raise Wrong(f"misplaced: {job}", score + WHY[job])


EXERCISE = Exercise(
    id="5.1",
    title="who asks whom",
    minutes=8,
    difficulty=2,
    hints=(
        "Begin at the end: the answer is said at END. Whom must END copy, and whom must it not copy?",
        "S2 has two ways to find out that S stood before: ask S1, or ask the one behind whom S1 stands.",
        "Nobody can ask those who stand ahead of them.",
    ),
    reference=attention_hypotheses,
    tests=(_every_job,),
    mistakes=(
        Mistake("asks ahead", "asker and asked exchanged.", _asked_and_asker),
        Mistake("misplaced: name mover", WHY["name mover"], _but(name_mover=("END", "S1"))),
        Mistake("misplaced: S-inhibition", WHY["S-inhibition"], _but(S_inhibition=("END", "S1"))),
        Mistake("misplaced: duplicate token", WHY["duplicate token"], _but(duplicate_token=("END", "S2"))),
        Mistake("misplaced: previous token", WHY["previous token"], _but(previous_token=("S2", "S1"))),
        Mistake("misplaced: induction", WHY["induction"], _but(induction=("S2", "S1"))),
        Mistake("asks itself", "nobody learns from themselves here.", _but(duplicate_token=("S2", "S2"))),
    ),
)
