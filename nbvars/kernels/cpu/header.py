"""The header of a variable: words (int64) that tell compiled code where its value is, and what it is like."""

LOCK, DATA, NUM_ITEMS, KERNELS, NUM_LAYOUT_WORDS, LAYOUT = range(6)
"""Whether somebody holds the lock (1), the address of the value, the number of its elements, the address of the table
of kernels for its dtype (``fast_updates.FastUpdates``), and how many words its shape and its strides are together.
These follow, and NO_DIMENSION behind them.
"""

MOST_HELD_ITEMS = 1 << 16
"""The update of a larger variable lets other Python threads run meanwhile."""
