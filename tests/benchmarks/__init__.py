"""Ratios to a hand-written floor, measured side by side in one run; no test asserts a time."""
