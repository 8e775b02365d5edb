"""What status and explain say, from what the store has kept."""
