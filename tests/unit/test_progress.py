"""Progress bars: only on a terminal, and never in the way of a fork."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import warnings

import pytest

from nbvars import progress as module
from nbvars.progress import progress, progress_of_bytes
from tests.conftest import run_python


class Terminal(io.StringIO):
    def isatty(self):
        return True


def new_terminal(monkeypatch):
    """Make stderr a terminal; not in a fixture, because pytest replaces stderr when a test begins."""
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def test_a_terminal_shows_how_much_is_done(monkeypatch):
    terminal = new_terminal(monkeypatch)
    assert list(progress("abc", 3, "letter")) == ["a", "b", "c"]
    assert "0/3" in terminal.getvalue()
    assert "letter" in terminal.getvalue()


def test_what_takes_less_than_a_second_shows_no_bar(monkeypatch):
    terminal = new_terminal(monkeypatch)
    assert list(progress_of_bytes([1, 2, 3], 6)) == [1, 2, 3]
    assert not terminal.getvalue().strip()


def test_nothing_is_shown_where_tqdm_is_not_installed(monkeypatch):
    terminal = new_terminal(monkeypatch)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(module, "_bar_type", module._bar_type.__wrapped__)
    assert list(progress("abc", 3, "letter")) == ["a", "b", "c"]
    assert list(progress_of_bytes([1, 2, 3], 6)) == [1, 2, 3]
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("stderr", ["sys.stderr", "None"])
def test_tqdm_is_not_imported_where_there_is_no_terminal(stderr):
    code = f"""
import sys
sys.stderr = {stderr}
from nbvars.progress import progress, progress_of_bytes
assert list(progress("abc", 3, "letter")) == ["a", "b", "c"]
assert list(progress_of_bytes([1, 2], 3)) == [1, 2]
assert "tqdm" not in sys.modules
"""
    run_python(code)


def test_a_child_that_is_forked_while_another_thread_makes_a_bar_can_make_one(monkeypatch):
    new_terminal(monkeypatch)
    is_held, is_over = threading.Event(), threading.Event()

    def hold():
        with module._bar_type().get_lock():
            is_held.set()
            is_over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        # A child that waits for ever is ended by its alarm.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        os._exit(list(progress("abc", 3, "letter")) != ["a", "b", "c"])
    _, status = os.waitpid(child, 0)
    is_over.set()
    thread.join()
    assert status == 0


def test_bars_leave_no_thread_behind(monkeypatch):
    new_terminal(monkeypatch)
    before = threading.active_count()
    assert list(progress("abc", 3, "letter")) == ["a", "b", "c"]
    assert threading.active_count() == before
