"""The part of ``tf.keras`` that concerns variables."""

from __future__ import annotations

from nbvars.keras import backend

__all__ = ["backend"]
