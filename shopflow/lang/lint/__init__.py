"""What can be wrong in rules that compile: one small module for each family of checks."""

from __future__ import annotations

from shopflow.lang.lint.registry import CHECKS, Subject, run_checks

__all__ = ["CHECKS", "Subject", "run_checks"]
