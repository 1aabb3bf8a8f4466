"""Tensors, how values become tensors, and how an op runs."""
