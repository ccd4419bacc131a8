"""One file a verb: each takes its ports, does one thing and returns what became of it."""
