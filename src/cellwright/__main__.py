"""Entry point of `python -m cellwright`, and thus of `torchrun -m cellwright`."""

from cellwright.cli import main

main()
