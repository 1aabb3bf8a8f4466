"""Where an op stands among conditionals and loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nbvars.checks import message

if TYPE_CHECKING:
    from nbvars.graph.operation import Operation


class ControlFlowContext:
    """One branch of a conditional, or the condition or body of a loop: what is made in it belongs to it.

    Attributes:
        name: Unique name, such as ``"cond/then"``.
        outer: The context around this one, ``None`` at the top.
        is_loop: Whether the ops of this context run again and again.
    """

    __slots__ = ("is_loop", "name", "outer")

    name: str
    outer: ControlFlowContext | None
    is_loop: bool

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


def check_reaches(where: str, context: ControlFlowContext | None, op: Operation, element: Any) -> None:
    """Raise ``ValueError`` unless ops of ``context`` may use ``element``, which is ``op`` or a tensor of it."""
    if not is_within(context, op._context):
        wrong = f"{element.name} belongs to a branch or loop and cannot be used outside"
        raise ValueError(message(where, wrong, op._context, "a tensor of this context or around it"))
