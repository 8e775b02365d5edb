"""The HTTP door: events in, health out."""
