"""The options of `whence stamp`, shared by both forms of the command line; light to load."""

from __future__ import annotations

import msgspec

from whence.sdk.context.stamp import FILE_NAME

ABOUT = """Write down which code this is, for an image that will have no .git.

Finds commit, branch, repository, dirtiness and version as `whence context` does, in the current
folder, and writes them to a file that the SDK reads where the image runs: docs/stamp.md.
"""
# option → what it means, for both forms of the command line
HELP: dict[str, str] = {
    "output": f"File, or folder for {FILE_NAME}. Default: ./{FILE_NAME}",
    "app_version": "Version of the application. Default: as `whence context` finds it.",
    "commit": "Commit, 7 to 64 hexadecimal digits. Default: as `whence context` finds it.",
    "branch": "Branch. Default: that of the commit.",
    "url": "Address of the repository. Default: that of the commit.",
    "environment": "Environment; stamp it only into images of one environment. Default: none.",
    "metadata": "Further metadata, KEY=VALUE; may be repeated.",
    "print_only": "Print the stamp on stdout; write nothing.",
    "allow_empty": "Write a stamp even where no commit is found.",
}
METAVARS: dict[str, str] = {  # the other options are flags
    "output": "PATH",
    "app_version": "VERSION",
    "commit": "COMMIT",
    "branch": "BRANCH",
    "url": "URL",
    "environment": "NAME",
    "metadata": "KEY=VALUE",
}


class StampOptions(msgspec.Struct, frozen=True):
    """The options of the command, as they were given."""

    output: str = ""
    app_version: str = ""
    commit: str = ""
    branch: str = ""
    url: str = ""
    environment: str = ""
    metadata: tuple[str, ...] = ()
    print_only: bool = False
    allow_empty: bool = False


def write_option(name: str) -> str:
    """Return how an option is written on the command line."""
    return "--" + name.removesuffix("_only").replace("_", "-")
