"""A learner's function is stopped in time, its prints are kept, and its output is made harmless."""

import bdb
import io
import pdb
import queue
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from helpers import exercises
from helpers.exercises import sandbox
from helpers.exercises.inputs import small_model
from helpers.exercises.sandbox import TimeUp, Wrong, to_plain_values, within_time


def endless():
    while True:
        time.sleep(0.001)


def catches_everything():
    while True:
        try:  # noqa: SIM105 - what a learner may write
            time.sleep(0.001)
        except:  # noqa: E722
            pass


def catches_everything_three_times():
    while True:
        try:
            try:  # noqa: SIM105
                catches_it_once()
            except:  # noqa: E722
                pass
        except BaseException:
            continue


def catches_it_once():
    try:  # noqa: SIM105
        time.sleep(0.001)
    except:  # noqa: E722
        pass


def keeps_what_it_catches():
    errors = []
    while True:
        try:
            for _ in map(str, range(100)):
                pass
        except BaseException as error:
            errors.append(error)
        finally:
            time.sleep(0.001)


def generates_forever():
    def numbers():
        try:
            while True:
                yield 0
        except:  # noqa: E722
            return

    while True:
        sum(numbers())


def by_alarm(seconds, function):
    assert sandbox._alarm_is_free()
    return within_time(seconds, function)


def by_watch(seconds, function):
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(signal, "SIGALRM", raising=False)
        patch.delattr(signal, "setitimer", raising=False)
        return within_time(seconds, function)


def in_a_thread(seconds, function):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(within_time, seconds, function).result(30)


KINDS = [by_watch, in_a_thread] + ([by_alarm] if hasattr(signal, "SIGALRM") else [])
every_kind = pytest.mark.parametrize("limited", KINDS)


@pytest.fixture
def quick_ticks(monkeypatch):
    monkeypatch.setattr(sandbox, "TICK_SECONDS", 0.005)


@pytest.fixture(autouse=True)
def no_trace_is_left():
    threads, alarm = threading.active_count(), signal.getsignal(getattr(signal, "SIGALRM", signal.SIGINT))
    tracer = sys.gettrace()
    yield
    assert threading.active_count() == threads
    assert sys.gettrace() is tracer
    assert signal.getsignal(getattr(signal, "SIGALRM", signal.SIGINT)) is alarm
    if hasattr(signal, "getitimer"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@every_kind
@pytest.mark.parametrize(
    "function",
    [
        endless,
        catches_everything,
        catches_everything_three_times,
        keeps_what_it_catches,
        generates_forever,
    ],
)
def test_every_function_is_stopped(limited, function, quick_ticks):
    with pytest.raises(TimeUp):
        limited(0.02, function)


@every_kind
def test_a_function_that_is_stopped_may_clean_up(limited, quick_ticks):
    cleaned = []

    def cleans_up():
        try:
            endless()
        finally:
            cleaned.append("a line")
            cleaned.append("another")

    with pytest.raises(TimeUp):
        limited(0.5, cleans_up)
    assert cleaned == ["a line", "another"]


@every_kind
def test_a_result_in_time_is_returned_and_an_error_raised(limited):
    assert limited(60, lambda: (3, 1)) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        limited(60, lambda: 1 / 0)


@every_kind
def test_nothing_is_raised_after_the_function_has_ended(limited, quick_ticks):
    """Functions that end about when their time does; then other code, which must not meet TimeUp."""
    outcomes = Counter()

    def ends_after(seconds):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            sum(map(abs, range(10)))
        return "result"

    def run_many():
        for number in range(200):
            seconds = 0.003 + 1e-5 * (number % 100 - 50)
            try:
                outcomes[within_time(0.003, lambda: ends_after(seconds))] += 1  # noqa: B023
            except TimeUp:
                outcomes["TimeUp"] += 1
            for _ in range(100):
                sum(map(abs, range(10)))
        return "no stray TimeUp"

    interval = sys.getswitchinterval()
    try:
        sys.setswitchinterval(1e-5)  # threads change often
        if limited is by_alarm:
            assert run_many() == "no stray TimeUp"
        else:
            assert limited_by_nothing(limited, run_many) == "no stray TimeUp"
    finally:
        sys.setswitchinterval(interval)
    assert outcomes.total() == 200


def limited_by_nothing(limited, function):
    """Run a function where ``limited`` would, without a limit of its own."""
    if limited is in_a_thread:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(function).result(60)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(signal, "SIGALRM", raising=False)
        return function()


@pytest.mark.parametrize("limited", [by_watch, in_a_thread])
def test_an_error_that_is_asked_for_as_the_function_ends_is_not_raised_later(limited, quick_ticks):
    """The queue raises in C: between that and the end of the function Python raises nothing else."""
    with pytest.raises(queue.Empty):
        limited(0.02, lambda: queue.SimpleQueue().get(timeout=0.1))
    sum(map(abs, range(1000)))


def test_the_outer_of_two_limits_holds():
    begun = time.monotonic()
    with pytest.raises(TimeUp):
        within_time(0.2, lambda: within_time(60, endless))
    assert time.monotonic() - begun < 30
    with pytest.raises(TimeUp):
        within_time(0.2, endless)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no alarm")
def test_an_alarm_of_somebody_else_goes_on_and_the_limit_holds():
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        with pytest.raises(TimeUp):
            within_time(0.2, endless)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


# debuggers --------------------------------------------------------------------------------------------------------------


def ends_late():
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        time.sleep(0.001)
    return "result"


@every_kind
def test_a_debugger_that_is_active_has_no_limit(limited, quick_ticks):
    def traced():
        sys.settrace(lambda *_: None)
        try:
            return within_time(0.02, ends_late)
        finally:
            sys.settrace(None)

    assert limited(60, traced) == "result"  # within a longer limit
    assert limited_by_nothing(limited, traced) == "result"


@every_kind
def test_a_debugger_that_becomes_active_in_the_function_ends_the_limit(limited, quick_ticks):
    def calls_a_debugger():
        debugger = bdb.Bdb()
        debugger.user_line = lambda frame: time.sleep(0.1) or debugger.set_continue()
        debugger.set_trace()
        return ends_late()

    assert limited(0.05, calls_a_debugger) == "result"


@every_kind
def test_a_debugger_that_monitors_all_threads_has_no_limit(limited, quick_ticks, monkeypatch):
    """As those of Python 3.12 and later may."""
    active = []
    tools = SimpleNamespace(DEBUGGER_ID=0, get_tool=lambda id: "pydevd" if active else None)
    monkeypatch.setattr(sys, "monitoring", tools, raising=False)
    assert limited(0.05, lambda: active.append(1) or ends_late()) == "result"
    assert limited(0.05, ends_late) == "result"
    active.clear()
    with pytest.raises(TimeUp):
        limited(0.05, endless)


def test_the_tracer_is_left_alone(monkeypatch):
    """A debugger warns, into the card, of everything that sets one."""
    monkeypatch.setattr(sys, "settrace", lambda tracer: pytest.fail("settrace was called"))
    with pytest.raises(TimeUp):
        within_time(0.05, endless)
    assert exercises.get("0.3").check(exercises.get("0.3").reference).status == "passed"


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


def changes_the_weights(model, tokens, layer, head):
    model.blocks[layer].attn.o.weight[:, head * 5 : (head + 1) * 5] = 0
    return model(tokens), [(4, 7, 3, 5)]


@pytest.mark.parametrize(
    ("answer", "diagnosis"),
    [(leaves_a_hook, "hook left behind"), (changes_the_weights, "changed the weights")],
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
    plain = to_plain_values({"a": [1, 2.0, None, True], "b": (tensor, strange, endless)})
    assert plain["a"] == [1, 2.0, None, True]
    assert plain["b"][0] is tensor and plain["b"][2] is endless
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
