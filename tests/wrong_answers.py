"""What the tests of every lesson do with answers: wrong ones are rejected and named, right ones in another way pass."""

from helpers import exercises


def cases(answers: dict[str, dict]) -> list[tuple]:
    """(exercise id, diagnosis, answer) for every wrong answer; a diagnosis may have a list of them."""
    return [
        (exercise_id, diagnosis, answer)
        for exercise_id, by_diagnosis in answers.items()
        for diagnosis, given in by_diagnosis.items()
        for answer in (given if isinstance(given, list) else [given])
    ]


def names(cases: list[tuple]) -> list[str]:
    return [f"{exercise_id} {diagnosis}" for exercise_id, diagnosis, _ in cases]


def assert_rejected(exercise_id: str, diagnosis: str, answer) -> None:
    result = exercises.get(exercise_id).check(answer)
    assert (result.status, result.diagnosis) == ("failed", diagnosis), result.message


def assert_passes(exercise_id: str, answer) -> None:
    result = exercises.get(exercise_id).check(answer)
    assert result.status == "passed", result.message
