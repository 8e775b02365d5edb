"""Drawings of the rules: a workflow's way, and what starts, stops and feeds what."""
