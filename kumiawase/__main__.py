"""`python -m kumiawase`."""

from kumiawase.cli import main

main()
