"""Where an op stands among conditionals and loops."""

from __future__ import annotations

from collections.abc import Iterator


class ControlFlowContext:
    """One branch of a conditional, or the condition or body of a loop: what is made in it belongs to it.

    Attributes:
        name: Unique name, such as ``"cond/then"``.
        outer: The context around this one, ``None`` at the top.
        is_loop: Whether the ops of this context run again and again.
    """

    __slots__ = ("is_loop", "name", "outer")

    def __init__(self, name: str, outer: ControlFlowContext | None, is_loop: bool) -> None:
        self.name = name
        self.outer = outer
        self.is_loop = is_loop

    def __repr__(self) -> str:
        return f"<ControlFlowContext {self.name!r}>"


def chain(context: ControlFlowContext | None) -> Iterator[ControlFlowContext]:
    """Yield a context and those around it, the innermost first."""
    while context is not None:
        yield context
        context = context.outer


def is_within(context: ControlFlowContext | None, other: ControlFlowContext | None) -> bool:
    """Return whether ``context`` is ``other`` or lies in it; all lie in ``None``, the top."""
    return other is None or any(each is other for each in chain(context))
