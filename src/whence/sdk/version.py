"""`whence.version(...)`: what makes this program's version, beside its code.

It goes into the version's manifest, once per process, and costs the calling thread next to nothing:
texts are hashed by the exporter's threads.
"""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Any

from whence.errors import InvalidInputError
from whence.sdk import diagnostics, runtime, settings
from whence.sdk.capture.trace_metadata import check_mapping, replace_surrogates
from whence.sdk.capture.values import capture, decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_NAMES = 200  # of each of the three
MAX_NAME_CHARS = 250
MAX_MODEL_CHARS = 1000
MAX_PARAMETER_CHARS = 4000  # of the JSON text
UNBOUNDED_CHARS = 500_000  # texts of all prompts together that are not looked at
_declaring = threading.Lock()
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


def version(
    *,
    prompts: Mapping[str, str] | None = None,
    models: Mapping[str, str] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Say which prompts, models and parameters make this version of the program.

    Each is a dict by a name of your own; what is given joins what was given before, and replaces it
    under the same name. It holds for the traces that are sent from now on. A prompt's text is
    stored once for each text, unless `whence.configure(store_prompts=False)` or
    `WHENCE_STORE_PROMPTS=0` says to keep only its hash and length; of more than 1 MiB the beginning
    is kept, and of what is beyond 16 million characters together the hash and the length. A
    parameter is any value that has a JSON form, of others the text; at most 4,000 characters. More
    than 200 names raise `InvalidInputError`, as does a prompt or a model that is no text. May be
    called by several threads.

    >>> import whence
    >>> whence.version(
    ...     prompts={"system": "Answer in one sentence."},
    ...     models={"chat": "gpt-4.1-mini"},
    ...     parameters={"temperature": 0.2},
    ... )
    """
    given = (
        _read(prompts, "prompts", _check_text),
        _read(models, "models", _check_model),
        _read(parameters, "parameters", _read_parameter),
    )
    with _declaring:
        known = settings.version
        fresh = settings.DeclaredVersion(
            _bound(_merge(known.prompts, given[0], "prompts")),
            _merge(known.models, given[1], "models"),
            _merge(known.parameters, given[2], "parameters"),
        )
        is_other = fresh != known
        settings.version = fresh
    pipeline = runtime.running_pipeline() if is_other else None
    if pipeline is not None:
        pipeline.invalidate_resource()


def _read(
    given: Mapping[str, Any] | None, what: str, read: Callable[[Any, str], Any]
) -> dict[str, Any]:
    found = {}
    for name, value in list(check_mapping(given, what).items()):
        if not isinstance(name, str) or not name:
            raise InvalidInputError(f"a name in `{what}` is a non-empty text, not {name!r}")
        found[replace_surrogates(name)[:MAX_NAME_CHARS]] = read(value, f"{what}[{name!r}]")
    return found


def _merge(known: Mapping[str, Any], given: Mapping[str, Any], what: str) -> dict[str, Any]:
    merged = {**known, **given}
    if len(merged) > MAX_NAMES:
        raise InvalidInputError(
            f"`{what}` has {len(merged)} names, and a version at most {MAX_NAMES}; name those that "
            "make the version"
        )
    return merged


def _bound(prompts: dict[str, Any]) -> dict[str, Any]:
    """Let go of texts that take too much memory; most programs have none, and load nothing."""
    if sum(len(one) for one in prompts.values()) <= UNBOUNDED_CHARS:
        return prompts
    from whence.sdk.context.prompts import bound

    return bound(prompts)


def _renew_after_fork() -> None:
    global _declaring  # noqa: PLW0603 - another thread of the parent may have held it
    _declaring = threading.Lock()


def _check_text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidInputError(
            f"{where} must be text, but got {type(value).__name__}; give the template's text"
        )
    return str.__str__(value)


def _check_model(value: Any, where: str) -> str:
    return replace_surrogates(_check_text(value, where))[:MAX_MODEL_CHARS]


def _read_parameter(value: Any, where: str) -> Any:
    """Return plain data that says the same in every process."""
    text = _ADDRESS.sub("", capture(value)[0].decode())
    if len(text) <= MAX_PARAMETER_CHARS:
        return decode(text.encode())
    diagnostics.warn_once(
        "long_parameter",
        "%s has more than %d characters; of such parameters a version keeps the beginning and "
        "the length.",
        where,
        MAX_PARAMETER_CHARS,
    )
    from whence.entities.version_manifest import digest_of

    return f"{text[:MAX_PARAMETER_CHARS]}… ({len(text)} characters, SHA-256 {digest_of(text)})"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)
