"""A gate site of our own on loopback, to see everything work without a network."""
