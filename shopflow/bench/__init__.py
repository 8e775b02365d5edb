"""Measurements: each prints ratios to a peer or a floor that ran beside it."""
