"""A learner's progress in one small file outside the repository: exercises, predictions, golf."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_data_dir

FILE = "progress.json"
FILE_OF_1_0_0 = "progress-1.0.0.json"  # holds ids, which later releases may give to other exercises
NAMES_IN_1_0_0 = (  # lesson by lesson, in the order of their ids
    "attention_pattern ablate_head previous_token_score",
    "head_outputs spectrum dimensions held_out_fraction principal_cosines rotate virtual_weights "
    "direct_logit_attribution logit_lens_ranks cosine_and_norm_change",
    "soft_read attention_scores singular_values head_output bigram_table copying_accuracy "
    "eigenvalue_copying_score skip_trigrams previous_position_weight scores_by_component",
    "composition_score factored_score random_scores reading_matrix pair_scores port_scores "
    "control_scores alignment rank_correlation project_out",
    "repeated_sequences loss_by_position detector_scores duplicate_token_score k_composition_circuit "
    "effective_OV ablate_z keys_without_path previous_token_head induction_head train_step "
    "phase_change in_context_score",
    "attention_hypotheses logit_diff head_logit_attribution name_copy_score "
    "logits_with_patched_residual logits_with_patched_head denoising_and_noising "
    "z_with_patched_part path_patched_port position_and_token group_means fraction_recovered "
    "circuit_mask minimality attribution_patching",
    "neuron_outputs top_contexts key_value_cosine superposition_loss feature_dimensionality "
    "steering_hook contrast_vector kl_divergence",
)
NAME_OF = {
    f"{lesson}.{number}": name
    for lesson, names in enumerate(NAMES_IN_1_0_0)
    for number, name in enumerate(names.split(), start=1)
}


def path() -> Path:
    """Return the progress file; the variable ``CIRCUITS_PROGRESS`` names another file or folder."""
    named = os.path.expanduser(os.environ.get("CIRCUITS_PROGRESS", ""))
    if os.path.basename(named) and not os.path.isdir(named):
        return Path(named)
    return Path(named or user_data_dir("transformer-circuits-course")) / FILE


def read() -> tuple[set[str], str]:
    """Return the names of the passed exercises, and a note for the learner (empty if all is well).

    Progress of release 1.0.0 counts.
    """
    file, entries, notes = path(), set(), []
    for source in [file, file.with_name(FILE_OF_1_0_0)] if file.name == FILE else [file]:
        content, note = _readable(source)
        entries |= {*content["passed"]}
        notes += [note] if note else []
    return {NAME_OF.get(entry, entry) for entry in entries}, " ".join(notes)


def predictions() -> dict[str, dict[str, str]]:
    """Return what was predicted: id → "choice", "sureness" and, once it was revealed, "answer"."""
    return _readable(path())[0]["predictions"]


def attempts(course: str) -> list[dict[str, str]]:
    """Return a learner's attempts at circuit golf on one course, the first one first."""
    return _readable(path())[0]["golf"].get(course, [])


def _readable(file: Path) -> tuple[dict, str]:
    """Return a file's content and a note as ``_parse`` does; nothing, where it cannot be read."""
    try:
        return _parse(file)
    except OSError as error:
        return _empty(), f"Your progress could not be read ({error.strerror}): {file}"


def _empty() -> dict:
    return {"passed": [], "predictions": {}, "golf": {}}


def _parse(file: Path) -> tuple[dict, str]:
    """Return a file's content and a note (empty if all is well); raise ``OSError``.

    An entry of "passed" is the name of an exercise, or its id in release 1.0.0. A damaged file is
    renamed to ``….damaged`` and progress starts over.
    """
    try:
        content = _empty() | json.loads(file.read_text(encoding="utf-8"))
        tried = [attempt for attempts in content["golf"].values() for attempt in attempts]
        predicted = [text for entry in [*content["predictions"].values(), *tried] for text in entry.items()]
        if not all(isinstance(entry, str) for entry in [*content["passed"], *sum(predicted, ())]):
            raise ValueError("entries are strings")
        return content, ""
    except FileNotFoundError:
        return _empty(), ""
    except (ValueError, AttributeError, TypeError, RecursionError):
        damaged = _beside(file, "damaged")
        os.replace(file, damaged)
        return _empty(), f"Your progress file was damaged, so progress starts over. The old file: {damaged}"


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(f"{file.name}.{ending}")


def record(name: str) -> str:
    """Add the name of a passed exercise to the file; return a note if that is not possible."""

    def add(content):
        content["passed"] = sorted({*content["passed"], name})

    return _change(add, "Passed, but your progress")


def record_prediction(id: str, **entry: str) -> str:
    """Add to what the file says of a prediction; return a note if that is not possible."""

    def add(content):
        content["predictions"][id] = content["predictions"].get(id, {}) | entry

    return _change(add, "Your prediction")


def record_attempt(course: str, **entry: str) -> str:
    """Add an attempt at circuit golf to the file; return a note if that is not possible."""

    def add(content):
        content["golf"].setdefault(course, []).append(entry)

    return _change(add, "Your attempt")


_unsaved: dict[Path, list[Callable[[dict], None]]] = {}  # by file: what could not be saved so far


def _change(change: Callable[[dict], None], what: str) -> str:
    """Change the content of the file, which is replaced as a whole, never half written.

    Return a note, which begins with ``what`` where nothing could be saved. The next change of this
    process that can be saved then saves this one, too.
    """
    file = path()
    changes = _unsaved.setdefault(file, [])
    changes.append(change)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_beside(file, "lock"), timeout=2):
            content, note = _parse(file)
            before = json.dumps(content)
            for unsaved in changes:
                unsaved(content)
            if json.dumps(content) != before:
                new = _beside(file, "new")
                new.write_text(json.dumps(content), encoding="utf-8")
                os.replace(new, file)
        changes.clear()
        return note
    except (OSError, Timeout, NotImplementedError) as error:  # the last where files cannot be locked
        reason = (
            getattr(error, "strerror", None)
            or "the file is locked: another notebook is saving, or locks do not work here"
        )
        return (
            f"{what} could not be saved ({reason}): {file}. Once the file can be written, run a check again."
        )
