"""What every code of lint means, by family."""
