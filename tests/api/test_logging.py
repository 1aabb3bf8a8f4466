"""What nbvars logs."""

from __future__ import annotations

import subprocess
import sys

import pytest

_WARN = "import nbvars, logging; {}logging.getLogger('nbvars').warning('look here')"


@pytest.mark.parametrize(
    ("setup", "shown"), [("", ""), ("logging.basicConfig(); ", "WARNING:nbvars:look here\n")], ids=["silent", "shown"]
)
def test_warnings_are_shown_where_the_program_shows_logs(setup, shown):
    done = subprocess.run([sys.executable, "-c", _WARN.format(setup)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", shown)
