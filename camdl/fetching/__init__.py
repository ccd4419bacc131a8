"""One GET with its limits, and the retry decorator."""
