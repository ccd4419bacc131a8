"""`python -m camdl`."""

from camdl.cli import main

main()
