"""The engine: pure decisions over one customer at a time, and the index that finds the rules."""

from shopflow.engine.decide import decide
from shopflow.engine.ramp import RampedRulebook
from shopflow.engine.rulebook import Rulebook, with_retained

__all__ = ["RampedRulebook", "Rulebook", "decide", "with_retained"]
