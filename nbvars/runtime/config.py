"""``ConfigProto``: the options of a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from nbvars.checks import message


class ConfigProto:
    """Options of a session.

    Args:
        allow_soft_placement: Run what asks for a device that is not there on the CPU; otherwise that is an error.
        log_device_placement: Tell the logger ``nbvars``, at level INFO, where each operation runs.
        options: TensorFlow's other options, ``intra_op_parallelism_threads`` say: kept, without effect.

    Raises:
        ValueError: TensorFlow has no such option.

    Source: TensorFlow 1 API pages, ``tf.ConfigProto``.
    """

    __slots__ = (
        "allow_soft_placement",
        "cluster_def",
        "device_count",
        "device_filters",
        "experimental",
        "gpu_options",
        "graph_options",
        "inter_op_parallelism_threads",
        "intra_op_parallelism_threads",
        "isolate_session_state",
        "log_device_placement",
        "operation_timeout_in_ms",
        "placement_period",
        "pluggable_device_options",
        "rpc_options",
        "session_inter_op_thread_pool",
        "share_cluster_devices_in_session",
        "use_per_session_threads",
    )

    def __init__(self, allow_soft_placement: bool = False, log_device_placement: bool = False, **options: Any) -> None:
        given = {"allow_soft_placement": allow_soft_placement, "log_device_placement": log_device_placement, **options}
        for name in options.keys() - set(self.__slots__):
            expected = f"one of {', '.join(self.__slots__)}"
            raise ValueError(message("ConfigProto", "there is no such option", repr(name), expected))
        for name in self.__slots__:
            setattr(self, name, given[name] if name in given else _unset(name))

    def __repr__(self) -> str:
        return f"ConfigProto({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


def _unset(name: str) -> Any:
    """Return the value of an option that is not given; a part may be set piece by piece, as in TensorFlow."""
    if name in ("device_filters", "session_inter_op_thread_pool"):
        return []
    if name == "device_count":
        return {}
    if name.endswith("options") or name in ("cluster_def", "experimental"):
        return SimpleNamespace()
    return 0


def checked_config(config: Any) -> Any:
    """Return ``config``, or one with nothing set; ``TypeError`` if it is something else."""
    if config is None:
        return ConfigProto()
    if not (hasattr(config, "allow_soft_placement") and hasattr(config, "log_device_placement")):
        raise TypeError(message("Session", "config is no ConfigProto", repr(config), "a ConfigProto or None"))
    return config
