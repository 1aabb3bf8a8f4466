"""A picture of the loss, for the demo; matplotlib is imported on use, as it comes with the extra ``demo`` only."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nbvars.checks import message


def expect_plottable(path: Path, option: str = "--save-plot", extra: str = "demo") -> None:
    """Raise ``ImportError`` or ``ValueError`` unless a picture can be saved as ``path``, which ``option`` gave."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise ImportError(f'{option} needs matplotlib: install it by pip install "nbvars[{extra}]"') from error
    kinds = sorted(FigureCanvasBase.get_supported_filetypes())
    if path.suffix.lower().removeprefix(".") not in kinds:
        raise ValueError(message(option, "this kind of picture is unknown", repr(str(path)), f"one of {kinds}"))
    expect_writable(path, option)


def expect_writable(path: Path, option: str) -> None:
    """Raise ``ValueError`` unless a file ``path``, which ``option`` gave, can be written."""
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(message(option, "the file cannot be written", repr(str(path)), "a writable place"))


def save_plot(losses: npt.NDArray[np.float32], path: Path) -> None:
    """Save a picture of the loss: each step, and its running mean."""
    from matplotlib.figure import Figure

    span = max(1, losses.size // 100)
    means = np.convolve(losses, np.full(span, 1 / span), "valid")
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss per pair", title="Skip-gram with negative sampling")
    axes.plot(losses, color="tab:blue", alpha=0.25, linewidth=0.5, label="each step")
    axes.plot(np.arange(means.size) + span // 2, means, color="tab:blue", label=f"mean of {span} steps")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)
