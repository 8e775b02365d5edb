"""Tools around rules kept in git: replaying events in virtual time, and running rule tests."""
