"""The lock and the health file."""
