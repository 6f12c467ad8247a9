"""The address of a git repository, without what opens it.

Everything that may be a secret goes: user and password before the host, query and fragment. Only
a user name that is part of an SSH address (`git@host:path`, `ssh://git@host/path`) stays, because
it is no secret there.
"""

from __future__ import annotations

import re

SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
REMOTE_HELPER = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*::)(.+)$", re.DOTALL)
PORT = re.compile(r"^[^/:@]*:\d+(?=/|$)")
SSH_SCHEMES = frozenset({"ssh", "git+ssh", "ssh+git"})


def strip_credentials(url: str) -> str:
    """Return the address without user, password, token, query and fragment.

    >>> strip_credentials("https://ann:secret@example.com/team/app.git")
    'https://example.com/team/app.git'
    >>> strip_credentials("git@example.com:team/app.git")
    'git@example.com:team/app.git'
    """
    url = url.strip()
    if helper := REMOTE_HELPER.match(url):
        return helper[1] + strip_credentials(helper[2])
    scheme = SCHEME.match(url)
    if scheme is None:
        return _strip_scp_form(url)
    rest = url[scheme.end() :]
    # A password may hold '/', '@', '#' as they are, so the last '@' of all ends the user's part.
    user, at, host_and_path = rest.rpartition("@")
    if at and "/" in user and not _looks_like_user(user):
        user, at, host_and_path = "", "", rest  # an '@' in the path, such as /scope/@name
    keep_user = scheme[1].lower() in SSH_SCHEMES and user and "/" not in user
    kept = user.split(":", 1)[0] + "@" if keep_user else ""
    return scheme[0] + kept + re.split(r"[?#]", host_and_path, maxsplit=1)[0]


def _looks_like_user(text: str) -> bool:
    """Tell `name:pass/word` (a user's part) from `host:8080/path` and `host/path`."""
    without_port = PORT.sub("", text, count=1)
    return ":" in without_port or "@" in without_port.split("/", 1)[0]


def _strip_scp_form(url: str) -> str:
    """Handle `user@host:path` and plain paths."""
    user, at, _path = url.partition("@")
    if not at or "/" in user or ":" not in user:
        return url
    # `user:token@host:path`: everything up to the last '@' before the path goes.
    head, _, path = url.partition("/")
    return head.rpartition("@")[2] + (f"/{path}" if path or url.endswith("/") else "")
