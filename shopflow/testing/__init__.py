"""What authors of plugins and of tests use: the channel contract, and a channel that records."""
