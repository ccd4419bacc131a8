"""The database: which captures are archived, which runs there were, what is missing."""
