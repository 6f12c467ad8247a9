"""What a repository says of itself, read from its files: `read_git(folder)`."""

from whence.sdk.context.git.state import GitState, read_git

__all__ = ["GitState", "read_git"]
