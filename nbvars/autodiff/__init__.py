"""Derivatives: ``gradients`` of graphs, ``GradientTape`` of what eager mode computes.

The gradient of an op is a row of a table here, by its type, in terms of public ops: so there are derivatives of
derivatives, in both modes.
"""

from __future__ import annotations

from nbvars.autodiff.backward import UnconnectedGradients
from nbvars.autodiff.graph_gradients import gradients
from nbvars.autodiff.tape import GradientTape

__all__ = ["GradientTape", "UnconnectedGradients", "gradients"]
