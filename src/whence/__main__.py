"""`python -m whence` is the `whence` command."""

from __future__ import annotations

from whence.cli import main

if __name__ == "__main__":
    main()
