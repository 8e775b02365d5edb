"""Frozen values that everything else speaks in: no clock, no random, no I/O."""
