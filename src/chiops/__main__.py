"""``python -m chiops``."""

from chiops.cli.main import main

main()
