"""The distributions that are installed where this program runs: name → version.

Names and versions are read off the `.dist-info` folders of `sys.path`; of an install from a version
control address the commit is added. Among 150 distributions that takes a few milliseconds: for a
background thread. No paths and no addresses are taken.

Limits: `.egg-info` and zip files are not read; at most `MAX_DISTRIBUTIONS`, the first by name. An
editable install is named by the version that it was installed as.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from whence.sdk.context.distribution import INFO_SUFFIX, describe_info, list_infos

if TYPE_CHECKING:
    from pathlib import Path

MAX_DISTRIBUTIONS = 3000
MAX_CHARS = 200
SHORT_COMMIT = 12


def list_installed() -> dict[str, str]:
    """Return every distribution under its normalised name (`ruamel-yaml`), by name."""
    found = dict(sorted(_describe(info) for info in list_infos()))
    return dict(list(found.items())[:MAX_DISTRIBUTIONS])


def _describe(info: Path) -> tuple[str, str]:
    name, _, version = info.name.removesuffix(INFO_SUFFIX).rpartition("-")
    commit = describe_info(info).commit if (info / "direct_url.json").is_file() else None
    if commit:
        version = f"{version} ({commit[:SHORT_COMMIT]})"
    return _clean(re.sub(r"[-_.]+", "-", name).lower()), _clean(version)


def _clean(text: str) -> str:
    """Return text that can be sent: a folder's name may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode("utf-8")[:MAX_CHARS]
