"""A learner's function is stopped in time, by a signal or by a second thread; a debugger has no limit."""

import bdb
import queue
import signal
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from helpers import exercises
from helpers.exercises import time_limit
from helpers.exercises.time_limit import TimeUp, within_time


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
    assert time_limit._alarm_is_free()
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
    monkeypatch.setattr(time_limit, "TICK_SECONDS", 0.005)


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
    assert sys.exc_info() == (None, None, None)  # else later errors show this one as their context


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
def test_the_end_of_an_iterator_is_raised_as_it_is(limited):
    with pytest.raises(StopIteration):
        limited(60, lambda: next(iter([])))


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
