"""What `python -m cellwright` runs, and so `torchrun -m cellwright`."""

from cellwright.cli import main

main()
