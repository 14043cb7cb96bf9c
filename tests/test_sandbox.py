"""A learner's prints are kept, its output is made harmless, and a changed model is noticed."""

import io
import pdb

import pytest
import torch

from helpers import exercises
from helpers.exercises import sandbox
from helpers.exercises.inputs import small_model
from helpers.exercises.sandbox import Wrong, to_plain_values


def test_what_a_debugger_writes_is_shown_at_once_and_prints_are_kept(capsys):
    class Terminal(io.StringIO):
        """Somebody who reads before they type."""

        def readline(self, *_):
            shown.append(capsys.readouterr().out)
            return super().readline()

    def answer(pattern):
        if not shown:
            debugger = pdb.Pdb(stdin=Terminal("p 6 * 7\nc\n"), nosigint=True)
            debugger.use_rawinput = False
            debugger.set_trace()
        print("a print")
        return exercises.get("0.3").reference(pattern)

    shown = []
    result = exercises.get("0.3").check(answer)
    assert result.status == "passed" and set(result.printed.split("\n")) == {"a print", ""}
    assert "test_sandbox.py" in shown[0] and "42" in shown[1]


def test_prints_are_kept_up_to_a_length():
    printed = sandbox.PrintRecorder()
    with sandbox.isolated(printed):
        print("begin", "x" * 10_000)
    kept, cut = printed.text().rsplit("\n", 1)
    assert kept.startswith("begin x") and len(kept) == sandbox.MAX_PRINTED_CHARACTERS
    assert cut == "… and 8,007 more characters"


def leaves_a_hook(model, tokens, layer, head):
    model.add_hook(f"blocks.{layer}.attn.hook_z", lambda z, hook: z * 0)
    return model(tokens), [(4, 7, 3, 5)]


def leaves_a_raw_hook(model, tokens, layer, head):
    model.original_model.register_forward_hook(lambda *_: None)
    return model(tokens), [(4, 7, 3, 5)]


def changes_the_weights(model, tokens, layer, head):
    model.blocks[layer].attn.o.weight[:, head * 5 : (head + 1) * 5] = 0
    return model(tokens), [(4, 7, 3, 5)]


@pytest.mark.parametrize(
    ("answer", "diagnosis"),
    [
        (leaves_a_hook, "hook left behind"),
        (leaves_a_raw_hook, "hook left behind"),
        (changes_the_weights, "changed the weights"),
    ],
)
def test_a_changed_model_is_noticed_and_not_used_again(answer, diagnosis):
    exercise = exercises.get("0.2")
    assert exercise.check(answer).diagnosis == diagnosis
    assert exercise.check(exercise.reference).status == "passed"


def test_hooks_of_one_run_are_not_left_behind():
    model, tokens = small_model(), torch.arange(5)[None]
    with sandbox.models_unchanged((model, tokens)):
        model.run_with_hooks(tokens, fwd_hooks=[("blocks.0.attn.hook_z", lambda z, hook: z * 0)])


def test_plain_values_stay_and_all_else_becomes_an_empty_object_of_that_name():
    class Strange(torch.Tensor):
        pass

    tensor, strange = torch.ones(2), torch.ones(2).as_subclass(Strange)
    plain = to_plain_values({"a": [1, 2.0, None, True], "b": (tensor, strange, small_model)})
    assert plain["a"] == [1, 2.0, None, True]
    assert plain["b"][0] is tensor and plain["b"][2] is small_model
    assert type(plain["b"][1]).__name__ == "Strange" and not isinstance(plain["b"][1], torch.Tensor)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(1).expand(10**4, 10**4), "expected at most 10,000,000 numbers, got 100,000,000"),
        (torch.zeros(2, dtype=torch.complex64), "expected real numbers, got torch.complex64"),
    ],
)
def test_tensors_that_no_exercise_asks_for_are_refused(output, message):
    with pytest.raises(Wrong, match=message):
        to_plain_values(output)


def test_no_gpu_is_opened_for_a_check(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.setattr(torch.cuda, "get_rng_state", asked.append)
    with sandbox.isolated(sandbox.PrintRecorder()):
        small_model()
    assert asked == []
