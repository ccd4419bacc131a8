"""Where the image files are."""
