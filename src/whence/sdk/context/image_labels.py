"""What the labels of the container's image, or of its pod, say: where they are mounted as a file.

Looked at are the path in `WHENCE_IMAGE_LABELS`, then `/etc/podinfo/labels` and
`/etc/podinfo/annotations`, where Kubernetes' own examples mount the downward API. A file holds
lines `key="value"` as Kubernetes writes them, or JSON: an object of labels, what
`docker inspect` prints, an image's configuration or a manifest with annotations. Per key the first
file that knows it wins.

Limits: a container can't see its own labels unless somebody mounts them. Labels that an image
inherits from its base count as its own (but Ubuntu's version is known, and left out).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from whence import semconv
from whence.sdk import diagnostics
from whence.sdk.context.found import Found
from whence.sdk.context.small_files import read_small
from whence.sdk.context.variables import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "WHENCE_IMAGE_LABELS"
POD_FILES = (Path("/etc/podinfo/labels"), Path("/etc/podinfo/annotations"))
MAX_BYTES = 1 << 20  # Kubernetes takes up to 256 kB of annotations, before quoting

# Every pod annotation with this prefix is a resource attribute, says OpenTelemetry's convention.
OTEL_PREFIX = "resource.opentelemetry.io/"
OCI = "org.opencontainers.image."
SCHEMA = "org.label-schema."  # the forerunner of the OCI's names
KUBERNETES = "app.kubernetes.io/"
DATADOG = "tags.datadoghq.com/"

# metadata key → labels, the strongest first
LABELS: dict[str, tuple[str, ...]] = {
    semconv.GIT_COMMIT: (f"{OCI}revision", f"{SCHEMA}vcs-ref"),
    semconv.GIT_REPO_URL: (f"{OCI}source", f"{SCHEMA}vcs-url"),
    semconv.APP_VERSION: (
        f"{OCI}version",
        f"{SCHEMA}version",
        f"{KUBERNETES}version",
        f"{DATADOG}version",
    ),
    semconv.ENVIRONMENT: (f"{DATADOG}env",),
    semconv.BUILD_TIME: (f"{OCI}created", f"{SCHEMA}build-date"),
    "service.name": (f"{KUBERNETES}instance", f"{KUBERNETES}name", f"{DATADOG}service"),
}
BASE_NAME, BASE_NAMES = f"{OCI}ref.name", frozenset({"ubuntu"})

LABELS_IN_JSON = (("Config", "Labels"), ("config", "Labels"), ("Labels",), ("annotations",))
LINE = re.compile(r'^([^=\s]+)="((?:[^"\\]|\\.)*)"$')
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def read_image_labels() -> Iterator[Found]:
    """Yield what the mounted labels say, at most one value a key."""
    seen: set[str] = set()
    for path in _find_files():
        labels = _read_file(path)
        for key, raw in _pick(labels):
            if key not in seen and (value := clean(key, raw)):
                seen.add(key)
                yield Found(key, value, f"image labels {path}")


def parse_labels(text: str) -> dict[str, str]:
    """Read labels from JSON or from lines. What is neither has none.

    >>> parse_labels('app.kubernetes.io/version="2.1.0"')
    {'app.kubernetes.io/version': '2.1.0'}
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _labels_in(msgspec.json.decode(text.encode("utf-8", "replace")))
        except (msgspec.DecodeError, RecursionError):
            return {}
    matches = (LINE.match(line.strip()) for line in text.splitlines())
    return {one[1]: _unescape(one[2]) for one in matches if one}


def _find_files() -> tuple[Path, ...]:
    named = os.environ.get(VARIABLE, "").strip()
    return (Path(named).absolute(), *POD_FILES) if named else POD_FILES


def _read_file(path: Path) -> dict[str, str]:
    reason = ""
    labels: dict[str, str] = {}
    try:
        data = read_small(path, MAX_BYTES)
    except ValueError as error:
        reason = str(error)
    else:
        labels = parse_labels((data or b"").decode("utf-8", "replace"))
        reason = "it is not there, or not readable by this user" if data is None else "no labels"
    if not labels and path not in POD_FILES:
        diagnostics.warn_once(
            "image_labels_ignored",
            'Whence finds no image labels in %s (%s): mount a file with lines key="value" or a '
            "JSON object there, or unset %s.",
            path,
            reason,
            VARIABLE,
        )
    return labels


def _pick(labels: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in labels.items():
        if name.startswith(OTEL_PREFIX) and name != OTEL_PREFIX:
            attribute = name.removeprefix(OTEL_PREFIX)
            yield semconv.canonical_key(attribute), value
    is_base = labels.get(BASE_NAME) in BASE_NAMES
    for key, names in LABELS.items():
        for name in names:
            if name in labels and not (is_base and name == f"{OCI}version"):
                yield key, labels[name]


def _labels_in(document: Any) -> dict[str, str]:
    if isinstance(document, list):
        document = document[0] if document else None
    for steps in LABELS_IN_JSON:
        inner = document
        for step in steps:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            document = inner
            break
    if not isinstance(document, dict):
        return {}
    return {key: value for key, value in document.items() if isinstance(value, str)}


def _unescape(text: str) -> str:
    """Undo the quoting of Go's `%q`, which Kubernetes writes."""
    return ESCAPE.sub(_unescape_one, text)


def _unescape_one(match: re.Match[str]) -> str:
    word = match[1]
    if len(word) == 1:
        return LETTERS.get(word, word)
    try:
        return chr(int(word[1:], 16))
    except (ValueError, OverflowError):  # beyond Unicode
        return ""
