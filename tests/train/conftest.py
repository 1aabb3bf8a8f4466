"""What the tests of checkpoints share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import nbvars


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    """Give each test a default graph of its own: names begin anew."""
    nbvars.reset_default_graph()
    yield
    nbvars.reset_default_graph()
