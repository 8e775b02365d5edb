"""From raw events to messages that have left: ingest, process, deliver, and what runs them."""
