"""Benchmarks of nbvars and of its peers: one file per subject for asv, and ``ratios.py`` for one interleaved run.

The work itself is in ``cases.py``: each case makes the same update in nbvars, NumPy and, where they are installed,
torch, TensorFlow and JAX, and says what the result must be.
"""
