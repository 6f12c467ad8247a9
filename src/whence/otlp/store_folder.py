"""The folder of a local store: made where it is missing, and then hidden from git.

A store often lies in the work tree of the program that it records. Its traces are data, not a
version of the code: they must neither be committed by accident nor make the work tree dirty. A
folder that is there already is left as it is; it may hold more than the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

GITIGNORE = "# Made by Whence: recorded traces are no code.\n*\n"


def make_store_folder(folder: Path) -> None:
    """Make the folder, with the folders above it, if it is missing. Raises OSError."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        make_store_folder(folder)
        return
    (folder / ".gitignore").write_text(GITIGNORE, encoding="utf-8")
