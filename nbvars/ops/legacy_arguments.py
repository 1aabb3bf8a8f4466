"""Arguments that have an older name, too."""

from __future__ import annotations

from typing import Any

from nbvars.checks import message


def renamed(op: str, name: str, value: Any, old_name: str, old_value: Any) -> Any:
    """Return what was given under the older name of an argument; ``ValueError`` if both names were."""
    if value is not None:
        wrong = f"Cannot specify both {old_name!r} and {name!r}"
        raise ValueError(message(op, wrong, "both", f"{name} alone", f"{old_name} is its older name"))
    return old_value
