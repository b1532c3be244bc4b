"""Benchmarks from the control machine: which arms, in which order, what came of them, and how to show it."""
