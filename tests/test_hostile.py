"""What usually breaks a course: an interrupt, shadowed names, cells out of order, prompts of every kind."""

import json
import re
import sys
import textwrap
import time

import pytest
import torch
from jupyter_client.manager import start_new_kernel

from helpers import exercises
from helpers.attention_view import attention_heads, attention_pattern, colored_tokens
from helpers.build.lesson_files import ROOT
from helpers.exercises.inputs import small_model
from helpers.line import read_line
from helpers.line_view import line_view
from helpers.patching import patch_heads
from helpers.steering import contrast_vector, generate, side_effects, steering_hook
from helpers.trace import address_trace

# a learner's cells -----------------------------------------------------------------------------------------------------


class Notebook:
    """A kernel that runs cells one by one."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(cwd=str(ROOT / "notebooks"))

    def run(self, source: str, interrupt_at: str | None = None, typed: tuple[str, ...] = ()) -> str:
        """Return what a cell shows; interrupt the kernel as soon as it prints ``interrupt_at``.

        ``typed`` are the answers to what the cell asks, given after a second of thought.
        """
        texts, answers = [], iter(typed)

        def show(message):
            content = message["content"]
            texts.append(content.get("text") or content.get("data", {}).get("text/plain") or "")
            texts.extend(content.get("traceback", [])[-1:])
            if interrupt_at and interrupt_at in texts[-1]:
                self.manager.interrupt_kernel()

        def type_in(message):
            time.sleep(1)
            self.client.input(next(answers))

        self.client.execute_interactive(
            textwrap.dedent(source), output_hook=show, stdin_hook=type_in, timeout=120
        )
        return "\n".join(texts).strip()

    def debug(self, command: str, **arguments) -> dict:
        """Send a request of JupyterLab's debugger and return the reply."""
        content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
        request = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(request)
        while True:
            reply = self.client.get_control_msg(timeout=60)
            if reply["parent_header"]["msg_id"] == request["header"]["msg_id"]:
                return reply["content"]

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


IMPORTS = """
    import sys
    sys.path.insert(0, "..")
    import torch, helpers
    from helpers.exercises import check, exercise, get
"""


@pytest.fixture(scope="module")
def notebook():
    notebook = Notebook()
    notebook.run("%colors nocolor")
    notebook.run(IMPORTS)
    yield notebook
    notebook.close()


def test_a_sweep_that_was_interrupted_goes_on(notebook):
    notebook.run("""
        from helpers.exercises.inputs import small_model
        from helpers.patching import patch_heads
        model = small_model()
        into, source = torch.randint(11, (2, 3, 7), generator=torch.Generator().manual_seed(0))

        def metric(logits):
            return logits[:, 3]

        def endless(logits):
            print("begun")
            while True:
                pass

        def endless_hook(z, hook):
            endless(z)
    """)
    begin = "patch_heads(model, into, source, endless, by_position=True)"
    assert "KeyboardInterrupt" in notebook.run(begin, interrupt_at="begun")
    hooked = "model.run_with_hooks(into, fwd_hooks=[('blocks.0.attn.hook_z', endless_hook)])"
    assert "KeyboardInterrupt" in notebook.run(hooked, interrupt_at="begun")
    assert notebook.run("sum(len(point.fwd_hooks) for point in model.hook_dict.values())") == "0"
    effects = notebook.run("patch_heads(model, into, source, metric).sum(dim=-1).tolist()")
    into, source = torch.randint(11, (2, 3, 7), generator=torch.Generator().manual_seed(0))
    expected = patch_heads(small_model(), into, source, lambda logits: logits[:, 3]).sum(dim=-1)
    torch.testing.assert_close(torch.tensor(json.loads(effects)), expected)


def test_a_check_that_was_interrupted_runs_again(notebook):
    notebook.run("""
        @exercise("0.3")
        def endless(patterns):
            while True:
                pass
    """)
    assert "KeyboardInterrupt" in notebook.run(
        "import threading, _thread\nthreading.Timer(1, _thread.interrupt_main).start()\ncheck(endless)"
    )
    assert "✔ 0.3 Passed" in notebook.run("check(exercise('0.3')(get('0.3').reference))")
    assert notebook.run("print('prints come here')") == "prints come here"


def test_shadowed_names_show_in_the_learners_line_and_come_back_with_the_import_cell(notebook):
    notebook.run("""
        @exercise("0.3")
        def scores(patterns):
            return torch.diagonal(patterns, -1, -2, -1).mean(-1)

        torch = helpers = None
    """)
    card = notebook.run("check(scores)")
    assert "AttributeError: 'NoneType' object has no attribute 'diagonal' in your line" in card
    assert "return torch.diagonal" in card
    assert "✔ 0.3 Passed" in notebook.run("check(exercise('0.3')(get('0.3').reference))")
    notebook.run("import torch, helpers\ncheck = 'mine'")
    assert "TypeError: 'str' object is not callable" in notebook.run("check(scores)")
    assert "✔ 0.3 Passed" in notebook.run("from helpers.exercises import check\ncheck(scores)")


def test_cells_out_of_order_and_twice(notebook):
    cell = "@exercise('0.3')\ndef scores(patterns):\n    {}"
    right = "return patterns.diagonal(-1, -2, -1).mean(-1)"
    assert "NameError: name 'not_run' is not defined" in notebook.run("check(not_run)")
    for body, expected in [
        ("pass", "○ 0.3 Not attempted"),
        (right, "✔ 0.3 Passed"),
        ("pass", "○ 0.3 Not attempted"),
    ]:
        for _ in range(2):
            notebook.run(cell.format(body))
            assert expected in notebook.run("check(scores)")
            assert expected in notebook.run("check(scores)")


RIGHT = """@exercise("0.3")
def scores(patterns):
    return patterns.diagonal(-1, -2, -1).mean(-1)"""
WRONG = """@exercise("0.3")
def scores(patterns):
    return patterns"""
NEXT_VERSIONS = {
    f"%%time\n{WRONG}": "✘ 0.3 Not yet: find the previous-token head\nwrong shape",
    f"%%capture\n{WRONG}": "wrong shape",
    f"@torch.no_grad()\n{WRONG}": "wrong shape",
    f"@torch.no_grad()\n@torch.inference_mode()\n{RIGHT}": "✔ 0.3 Passed",
    RIGHT.replace("def ", "@__import__('functools').cache\ndef "): "✔ 0.3 Passed",
    RIGHT.replace("def scores(patterns)", "def scores(*patterns)").replace(
        "return patterns", "return patterns[0]"
    ): "✔ 0.3 Passed",
    f"{WRONG} + (": "previous version",
    f"%%time\n{WRONG} + (": "previous version",
    f"%%timeit -n1 -r1\n{WRONG}": "previous version",
    f"%%script {sys.executable} -c pass\n{WRONG}": "previous version",
    f"%%nosuch\n{WRONG}": "previous version",
    f"@nosuch\n{WRONG}": "previous version",
    WRONG.replace("def ", "@nosuch\ndef "): "previous version",
    WRONG.replace("patterns)", "patterns, axis=nosuch)"): "previous version",
    f"{WRONG}\n\n@exercise('0.1')\ndef pattern(q, k) return": "previous version",
    WRONG.replace("scores", "renamed"): "defined renamed for the same exercise",
}


@pytest.mark.parametrize("cell", NEXT_VERSIONS)
def test_a_check_judges_what_the_last_run_of_the_cell_defined_or_says_so(notebook, cell):
    notebook.run(RIGHT)
    assert "✔ 0.3 Passed" in notebook.run("check(scores)")
    notebook.run(cell)
    assert NEXT_VERSIONS[cell] in notebook.run("check(scores)")


def test_pdb_in_an_answer_is_seen_and_has_no_time_limit(notebook):
    notebook.run("from helpers.exercises import trial\ntrial.TIME_LIMIT_SECONDS = 0.5")
    notebook.run("""
        @exercise("0.3")
        def scores(patterns):
            import pdb; pdb.set_trace()
            print("a print")
            return patterns.sum(dim=(-1, -2))
    """)
    shown = notebook.run("check(scores)", typed=("p 6 * 7", "c"))
    assert (
        "42" in shown and len(re.findall(r"-> [34] +(print|import pdb)", shown)) == 1
    )  # by Python's version
    assert "wrong values" in shown and shown.endswith("a print")
    assert "stopped: You left the debugger" in notebook.run("check(scores)", typed=("q",))
    notebook.run("""
        @exercise("0.3")
        def endless(patterns):
            while True:
                pass
    """)
    assert "too slow: Stopped after 0.5 s" in notebook.run("check(endless)")
    notebook.run("trial.TIME_LIMIT_SECONDS = 10")


def test_the_debugger_of_jupyterlab_draws_no_warning():
    notebook = Notebook()
    notebook.run(IMPORTS)
    assert notebook.debug("initialize", clientID="test", adapterID="", pathFormat="path")["success"]
    assert notebook.debug("attach")["success"]
    assert notebook.debug("configurationDone")["success"]
    notebook.run(RIGHT.replace("return", "print('a print')\n    return"))
    shown = notebook.run("check(scores)")
    notebook.close()
    assert "✔ 0.3 Passed" in shown and shown.endswith("a print") and "DEBUGGER" not in shown


def test_the_checks_survive_a_notebook_with_other_settings():
    """What learners set and forget: double precision, no gradients, a device, inference mode."""
    every_exercise = exercises.all_exercises()  # imports their modules
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.device("meta"):
            results = [exercise.check(exercise.reference) for exercise in every_exercise]
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert {result.exercise.id: result.message for result in results if result.status != "passed"} == {}


def test_a_hook_that_was_left_on_the_model_is_met_before_a_sweep_and_does_not_touch_a_check():
    model, tokens = small_model(), torch.randint(11, (2, 5))
    model.add_hook("blocks.1.attn.hook_z", lambda z, hook: z * 0)
    with pytest.raises(
        ValueError, match="expected a model without hooks, found some: take them off with model.reset_hooks"
    ):
        patch_heads(model, tokens, tokens, lambda logits: logits[:, 0])
    model.reset_hooks()
    assert patch_heads(model, tokens, tokens, lambda logits: logits[:, 0]).shape == (2, 3, 2)


# prompts ---------------------------------------------------------------------------------------------------------------

TEXTS = {
    "empty": "",
    "10,000 words": "the " * 10_000,  # to_tokens cuts it to the context
    "emoji": "😀👨‍👩‍👧🏳️‍🌈",
    "right to left": "שלום עולם مرحبا \u202egnissecorp\u202c",
    "control characters": "\x00\x01\x1b[31mred\r\x08\u2028\u2029\ufeff\uffff",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["attn-only-2l", "ioi-gpt2"])
def test_every_text_can_be_read_drawn_traced_and_steered(shipped_model, name, text):
    model = shipped_model(name)
    tokens = model.to_tokens(text)
    assert model(tokens).isfinite().all()
    line = read_line(model, tokens, text[:50])
    html = line_view(line).data + attention_heads(line.patterns[0], line.tokens).data
    html += colored_tokens(line.tokens, line.patterns[0, 0, -1]).data
    html.encode("utf-8")
    assert len(address_trace(model, tokens)) == model.cfg.n_layers * model.cfg.n_heads
    hooks = [steering_hook(contrast_vector(model, [text], ["the king"], 1), 1, 2.0)]
    assert generate(model, tokens, 2, hooks).shape[1] == min(tokens.shape[1] + 2, model.cfg.n_ctx)
    assert tokens.shape[1] < 2 or side_effects(model, tokens, hooks)["KL"] > -1e-6


TOKENS = [
    (torch.zeros(1, 0, dtype=torch.long), "one text, tokens .* got .1, 0.|has 0 tokens"),
    (torch.zeros(1, 10_000, dtype=torch.long), "has 10000 tokens and this model reads 1 to"),
    (torch.full((1, 5), 99_999), "token ids from 0 to 3071, got 99999"),
    (torch.full((1, 5), -1), "token ids from 0 to 3071, got -1"),
]


@pytest.mark.parametrize(("tokens", "sentence"), TOKENS)
@pytest.mark.parametrize("name", ["attn-only-0l", "attn-only-2l", "ioi-gpt2"])
def test_tokens_that_a_model_cannot_read_are_met_with_a_sentence(shipped_model, name, tokens, sentence):
    model = shipped_model(name)
    calls = [model, lambda t: generate(model, t, 2), lambda t: side_effects(model, t, [])]
    calls += [lambda t: read_line(model, t), lambda t: address_trace(model, t)] if model.cfg.n_layers else []
    for call in calls:
        with pytest.raises(ValueError, match=sentence):
            call(tokens)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda model: read_line(model, model.to_tokens(["a", "b"])), "expected one text"),
        (lambda model: generate(model, model.to_tokens(["a", "b"]), 1), "expected one text"),
        (lambda model: address_trace(model, model.to_tokens(["a", "b"])), "expected one text"),
        (lambda model: contrast_vector(model, "a", "b", 0), "expected lists of texts"),
        (
            lambda model: generate(model, model.to_tokens("a"), 1, [steering_hook(torch.ones(3), 0, 1.0)]),
            r"expected a direction \[d_model\] = \[384\], got \[3\]",
        ),
        (lambda model: line_view(), "expected one line or two, got none"),
        (lambda model: line_view(read_line(model, model.to_tokens("a")), layer=2), "a layer from -1 to 1"),
        (
            lambda model: line_view(read_line(model, model.to_tokens("a")), query_position=9),
            "a query position below 2",
        ),
        (
            lambda model: attention_heads(torch.ones(1, 0, 0), []),
            "1 to 2,000,000 numbers to draw, got 0",
        ),
        (lambda model: colored_tokens([], torch.ones(0)), "numbers to draw, got 0"),
        (
            lambda model: attention_pattern(torch.ones(1, 1).expand(2000, 2000), ["a"] * 2000),
            "got 4,000,000: show fewer heads, or a part of the text",
        ),
        (
            lambda model: attention_pattern(torch.full((1, 1), torch.nan), ["a"]),
            "expected finite numbers to draw, got NaN",
        ),
    ],
)
def test_what_cannot_be_shown_is_met_with_a_sentence(shipped_model, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(shipped_model("attn-only-2l"))


def test_a_model_without_layers_has_no_line(shipped_model):
    model = shipped_model("attn-only-0l")
    with pytest.raises(
        ValueError, match="expected a model with attention layers, got one that has no layers"
    ):
        read_line(model, model.to_tokens("a"))
