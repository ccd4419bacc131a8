"""Pure: data and decisions about it. No input or output, no clock, no environment."""
