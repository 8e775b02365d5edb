"""The channels that ship with shopflow; each is a plugin like a stranger's."""
