"""`python -m headroom`: the same as the command `headroom`."""

from headroom.cli import main

main()
