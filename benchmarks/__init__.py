"""Benchmarks for asv: one file per subject. The work itself is in ``nbvars/bench/``, and is that of this checkout.

asv measures other versions of nbvars, too; what it measures must not change with them.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "nbvars" / "bench"

if "nbvars.bench" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("nbvars.bench", _FOLDER / "__init__.py")
    assert _spec is not None
    sys.modules["nbvars.bench"] = importlib.util.module_from_spec(_spec)
