"""Ways to tell people: mail, a web hook, Apprise, and the pings of a dead man's switch."""
