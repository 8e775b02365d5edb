"""A simulated shop, so that everything can be seen at work without one's own data."""
