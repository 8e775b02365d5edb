"""What a change of rules would change: of the rules themselves, and for whom."""
