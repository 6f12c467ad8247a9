"""What a repository says of itself, read from its files: `read_git(folder)`.

`repository` finds it, `config` reads its configuration, `refs` follows HEAD through one of two
stores (`ref_files`, `reftable`), `objects` and `packs` say what a tag leads to, and `state` puts
the answer together.
"""

from whence.sdk.context.git.state import GitState, read_current_git, read_git

__all__ = ["GitState", "read_current_git", "read_git"]
