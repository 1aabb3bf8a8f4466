"""``Session``: runs of a graph, and the values of its variables."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from nbvars.checks import message
from nbvars.devices import DeviceSpec, resolve_device
from nbvars.errors import InvalidArgumentError
from nbvars.graph.graph import Graph, get_default_graph
from nbvars.graph.mode import entered_graph, entered_session
from nbvars.graph.operation import Operation
from nbvars.locks import ForkSafeLock
from nbvars.runtime.config import checked_config
from nbvars.runtime.feeds import converter, fed_tensor, flattened
from nbvars.runtime.fetches import elements_of, key_of, map_fetches
from nbvars.runtime.plan import Plan, PlanBuilder
from nbvars.runtime.steps import Slots
from nbvars.runtime.streams import Streams

_log = logging.getLogger("nbvars")

# Sets the keys of plans with feeds apart from those without, and from whatever a user can ask for.
_FED = object()


class Session:
    """Runs operations of a graph, and holds the values of its variables.

    The operations that a run needs are run in the order in which they were created; a variable that is fetched is read
    when all of them are done. If one fails, what it would have written stays as it was, and earlier updates of that run
    stay made. Any number of threads may use a session at once.

    Args:
        target: Accepted for TensorFlow's sake: everything runs in this process.
        graph: The graph; the default graph if not given.
        config: A ``ConfigProto``.

    Raises:
        TypeError: An argument is of another type.

    Source: TensorFlow 1 API pages, ``tf.Session``.
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        if not isinstance(target, (str, bytes)):
            raise TypeError(message("Session", "target is no string", repr(target), "''"))
        if graph is not None and not isinstance(graph, Graph):
            raise TypeError(message("Session", "graph is no Graph", repr(graph), "a Graph or None"))
        self._graph = get_default_graph() if graph is None else graph
        self._config = checked_config(config)
        self._lock = ForkSafeLock()
        self._plans: dict[Any, Plan] = {}
        self._is_closed = False
        self._entered: ExitStack | None = None
        self._streams = Streams()
        self.storages: dict[Operation, Any] = {}
        """The memory of each variable that has been initialized, by its operation. For the library."""

    @property
    def graph(self) -> Graph:
        """Return the graph."""
        return self._graph

    def store(self, variable: Operation, storage: Any) -> None:
        """Give a variable its first memory, or another one; a closed session keeps none. For the library."""
        with self._lock:
            if self._is_closed:
                self._raise_closed()
            self.storages[variable] = storage

    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        """Run what ``fetches`` need, once; return their values.

        Args:
            fetches: A tensor, variable, operation, ``IndexedSlices`` or name, or lists, tuples, named tuples and dicts
                of those, to any depth.
            feed_dict: Values (numbers, lists, arrays) to use for tensors, by tensor, variable or name. A key may be a
                tuple of tensors, or ``IndexedSlices``, and the value then a tuple of values.
            options: Accepted for TensorFlow's sake.
            run_metadata: Accepted for TensorFlow's sake.

        Returns:
            The structure of ``fetches`` with a copy of each value: an array, a NumPy number for a scalar,
            ``None`` for an operation, an ``IndexedSlicesValue`` for ``IndexedSlices``.

        Raises:
            RuntimeError: The session is closed, or its graph is empty.
            TypeError: A fetch or feed is of a type that can be none, or fed where another dtype is needed.
            ValueError: A fetch or feed is of another graph, or a fed value has the wrong shape.
            OpError: An operation failed: ``FailedPreconditionError`` for a variable without a value, ...

        Source: TensorFlow 1 API pages, ``tf.Session.run``.
        """
        if not feed_dict:
            try:
                plan = self._plans.get(fetches)
            except TypeError:  # a list or dict; or nothing to fetch, which the making of a plan says
                plan = None
            return (plan or self._plan(fetches)).run()
        if type(feed_dict) is not dict and not isinstance(feed_dict, Mapping):
            wrong = "feed_dict is no dict"
            raise TypeError(message("Session.run", wrong, type(feed_dict).__name__, "values by tensor"))
        try:
            plan = self._plans.get((_FED, tuple(feed_dict), fetches))
        except TypeError:
            plan = None
        if plan is None:
            feed_dict = flattened(feed_dict)
            plan = self._plan(fetches, tuple(feed_dict))
        return plan.run(feed_dict.values())

    def make_callable(
        self, fetches: Any, feed_list: Sequence[Any] | None = None, accept_options: bool = False
    ) -> Callable[..., Any]:
        """Return a function of the values of ``feed_list`` that runs ``fetches``: ``run`` without its preparations.

        Args:
            fetches: As for ``run``.
            feed_list: The tensors, variables or names whose values the function takes, in this order.
            accept_options: Let the function also take ``options`` and ``run_metadata``, which have no effect.

        Raises:
            TypeError: ``feed_list`` is no list; when the function is called, a wrong number of values.

        Source: TensorFlow 1 API pages, ``tf.Session.make_callable``.
        """
        if feed_list is not None and not isinstance(feed_list, (list, tuple)):
            raise TypeError(message("make_callable", "feed_list is no list", repr(feed_list), "a list of tensors"))
        feeds = tuple(feed_list or ())
        run = self._plan(fetches, feeds).run
        if not feeds and not accept_options:
            # As fast as ``run`` itself, and a call with values is Python's TypeError.
            return functools.partial(run, ())

        def call(*values: Any) -> Any:
            if len(values) != len(feeds):
                raise TypeError(message("make_callable", "wrong number of values", len(values), len(feeds)))
            return run(values)

        def call_with_options(*values: Any, options: Any = None, run_metadata: Any = None) -> Any:
            return call(*values)

        return call_with_options if accept_options else call

    def _plan(self, fetches: Any, feeds: tuple[Any, ...] = ()) -> Plan:
        """Return the plan for these fetches and feeds, which is made once."""
        key = _key(fetches, feeds)
        return self._plans.get(key) or self._new_plan(key, fetches, feeds)

    def _new_plan(self, key: Any, fetches: Any, feeds: tuple[Any, ...]) -> Plan:
        with self._lock:
            if self._is_closed:
                self._raise_closed()
            if not self._graph.version:
                wrong = "The Session graph is empty"
                remedy = "build it in `with Graph().as_default():`, or after disable_eager_execution()"
                raise RuntimeError(message("Session.run", wrong, "no operations", "a graph with operations", remedy))
            # Another thread may have made it meanwhile.
            plan = self._plans.get(key) or self._make_plan(fetches, feeds)
            if key is not None:
                self._plans[key] = plan
            return plan

    def _make_plan(self, fetches: Any, feeds: tuple[Any, ...]) -> Plan:
        elements = elements_of(self._graph, fetches)
        tensors = [fed_tensor(self._graph, key) for key in feeds]
        builder = PlanBuilder(self, tensors)
        builder.add_ops(elements)
        result = map_fetches(self._graph, fetches, builder.fetch)
        return Plan(builder, [converter(tensor) for tensor in tensors], result)

    def attrs_of(self, op: Operation) -> dict[str, Any]:
        """Return what ``op`` computes with; a random op gets its stream of numbers in this session. For the library."""
        attrs = {key: value for key, value in op._attrs.items() if not key.startswith("_")}
        return {**attrs, "seed": self._streams.of(op)} if "seed" in attrs else attrs

    def place_of(self, op: Operation) -> str:
        """Return the device that ``op`` asks for, such as ``"/cpu:0"``. For the library.

        Raises:
            InvalidArgumentError: The device is not there.
        """
        place = "/cpu:0"
        if op._device:
            try:
                place = resolve_device(op._device)
            except InvalidArgumentError as error:
                if not self._config.allow_soft_placement or DeviceSpec.from_string(op._device).job not in _LOCAL:
                    wrong = f"Cannot assign a device for operation {op._name!r}: {error}"
                    raise InvalidArgumentError(None, op, f"Session.run: {wrong}") from error
        if self._config.log_device_placement:
            _log.info("%s: (%s): %s", op._name, op._type, place)
        return place

    def _raise_closed(self, slots: Slots | None = None) -> None:
        raise RuntimeError("Session: Attempted to use a closed Session: got a run, expected none after close()")

    def close(self) -> None:
        """Free the values of the variables; every later run is a ``RuntimeError``.

        Source: TensorFlow 1 API pages, ``tf.Session.close``.
        """
        with self._lock:
            self._is_closed = True
            for plan in self._plans.values():
                plan.disable(self._raise_closed)
            self._plans.clear()
            self.storages.clear()

    def as_default(self) -> AbstractContextManager[Session]:
        """Make this the session that ``eval`` and ``Operation.run`` use in a ``with`` block.

        The graph does not become the default graph by this: use the session itself in the ``with`` statement for both.

        Source: TensorFlow 1 API pages, ``tf.Session.as_default``.
        """
        return entered_session(self)

    def __enter__(self) -> Session:
        if self._entered is not None:
            wrong = "Session context managers are not re-entrant"
            remedy = "use as_default() to enter a session several times"
            raise RuntimeError(message("Session", wrong, "a session that is entered", "another one", remedy))
        self._entered = ExitStack()
        # An InteractiveSession that was made meanwhile may stay.
        self._entered.enter_context(entered_graph(self._graph, is_nested=False))
        self._entered.enter_context(entered_session(self, is_nested=False))
        return self

    def __exit__(self, *error: object) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.close()
        self.close()

    def __repr__(self) -> str:
        return f"<nbvars.{type(self).__name__} graph={self._graph!r}>"


_LOCAL = (None, "localhost")


def _key(fetches: Any, feeds: tuple[Any, ...]) -> Any:
    """Return the key of a plan; ``None``, which no plan has, where something can be neither fetched nor fed."""
    try:
        key = (_FED, feeds, key_of(fetches)) if feeds else key_of(fetches)
        hash(key)
    except TypeError:
        return None
    return key


class InteractiveSession(Session):
    """A session that makes itself the default one, until it is closed: for the Python prompt.

    Source: TensorFlow 1 API pages, ``tf.InteractiveSession``.
    """

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._default = ExitStack()
        if graph is not None:
            self._default.enter_context(entered_graph(graph, is_nested=False))
        self._default.enter_context(entered_session(self, is_nested=False))

    def close(self) -> None:
        """Close the session; it is the default one no longer."""
        self._default.close()
        super().close()
