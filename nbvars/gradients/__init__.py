"""Derivatives: ``gradients`` of graphs, ``GradientTape`` of what eager mode computes.

The gradient of an op is a row of a table here, by its type, in terms of public ops: so there are derivatives of
derivatives, in both modes.
"""

from __future__ import annotations

from nbvars.gradients.backward import UnconnectedGradients
from nbvars.gradients.graph_gradients import gradients
from nbvars.gradients.tape import GradientTape

__all__ = ["GradientTape", "UnconnectedGradients", "gradients"]
