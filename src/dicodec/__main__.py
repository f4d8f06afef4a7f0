"""`python -m dicodec`: the command, for whoever has it not on the path."""

from __future__ import annotations

from dicodec.cli.main import main

if __name__ == "__main__":
    main()
