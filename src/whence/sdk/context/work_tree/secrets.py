"""Mask the secrets in a diff: `detect-secrets` (the extra `whence[secrets]`) and some rules more.

`find_masker()` gives the function that does it, or None where the library is not installed. A
secret becomes `[masked]`, in changed lines and in those around them alike. In doubt too much is
masked: the text is there to be read, not to be applied.

The library's detectors are asked line by line, and never to verify what they find: that would send
it over the network. Beyond them are masked: unquoted values of telling names where the file is no
program (`.env`, YAML), the whole of a private key, lines of nothing but base64, and lines too long
to search. Limit: a secret that looks like a word and has no telling name stays.
"""

from __future__ import annotations

import re
import string
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Finder = Callable[[str], Iterable[tuple[int, int]]]

MASK = "[masked]"
MAX_LINE_CHARS = 2_000  # the detectors' patterns take quadratic time on long lines
MIN_SECRET_CHARS = 3
LINES_A_CHECK = 200

# Where a value without quotes is an expression, not a secret.
PROGRAM_SUFFIX = re.compile(
    r"\.(?:pyi?|ipynb|[cm]?[jt]sx?|go|java|kt|scala|swift|rs|rb|php|pl|r|[ch]|cc|[ch]pp|cs|mm?|lua"
    r"|dart|sql|vue|svelte|tf|md|rst|html|css)\"?\s*$",
    re.IGNORECASE,
)
TELLING_NAME = (
    r"[\w.\-]*(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token(?!s|iz|_?(?:count|limit|usage))|api_?-?key|access_?-?key|"
    r"auth_?-?key|private_?-?key|signing_?-?key|encryption_?-?key|account_?-?key|credential|"
    r"authorization|connection_?-?string|cookie|(?<![a-z])(?:dsn|pw|pass|pin|psk)(?![a-z]))[\w.\-]*"
)
ASSIGNED = re.compile(
    rf"(?P<name>{TELLING_NAME}[\"'\]]{{0,2}}\s*(?::=|=>|={{1,3}}|:(?!:)|\s+(?=[\"']))\s*)(?P<value>\S.*)",
    re.IGNORECASE,
)
SPACED = re.compile(
    r"\b(?:password|passwd|secret|token|account)\s+(?P<value>\S{4,})", re.IGNORECASE
)  # .netrc
BEARER = re.compile(
    r"\b(?P<name>(?:bearer|basic)\s+)(?P<value>[A-Za-z0-9._~+/=\-]{8,})", re.IGNORECASE
)
QUOTED = re.compile(r"(?P<quote>[\"'`])(?P<value>(?:(?!(?P=quote)).){3,})(?P=quote)")
KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File|^Private-Lines:")
KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY|^Private-MAC:")
BASE64_LINE = re.compile(r"^[\s\"'+,\\n]*[A-Za-z0-9+/_\-]{40,}={0,2}[\s\"'+,;\\n)]*$")
LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
LONG_WORD = re.compile(r"[A-Za-z0-9+/_\-=]{32,}")  # a token without quotes, if it is random
KNOWN_TOKEN = re.compile(
    r"\b(?:[spr]k[-_]|hf_|AIza|ya29\.|gh[a-z]_|github_pat_|gl[a-z]{2,5}-|xox[a-z]-|npm_|pypi-|whk_)"
    r"[A-Za-z0-9_\-.]{12,}"
)
MIXED = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/=]{24,}$")
MIXED_MARGIN = 0.7  # letters of both cases and digits, without a break: hardly a name
URL_PASSWORD = re.compile(r"://[^\s/@:]*:(?P<value>[^\s/@]+)@")
TOKEN_REST = re.compile(r"[A-Za-z0-9_\-=+/.~%]*")
FILE_HEADER = re.compile(
    r"^(?:diff --git |--- |\+\+\+ |index |new file |deleted file |old mode |new mode )"
)

# Detectors of what is no secret, or that this module does better.
PASSED_OVER = frozenset({"IPPublicDetector", "PrivateKeyDetector"})


def find_masker() -> Callable[..., str] | None:
    """Return `mask(diff, check=...)`, or None where `detect-secrets` is not installed.

    `check` is called now and then; what it raises ends the work.
    """
    try:
        finders = _load_finders()
    except ImportError:
        return None

    def mask(diff: str, check: Callable[[], None] = lambda: None) -> str:
        return "".join(_mask_lines(diff, finders, check))

    return mask


def _load_finders() -> list[Finder]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin

    finders: list[Finder] = []
    kinds: dict[str, Any] = get_mapping_from_secret_type_to_class()
    for kind in kinds.values():
        detector = kind()
        if kind.__name__ in PASSED_OVER:
            continue
        if isinstance(detector, RegexBasedDetector):
            finders.extend(_matches_of(pattern) for pattern in detector.denylist)
        elif isinstance(detector, HighEntropyStringsPlugin):
            finders.append(_random_strings(detector))
        else:
            finders.append(_values_of(detector))
    return finders


def _matches_of(pattern: re.Pattern[str]) -> Finder:
    """Find a pattern whole: some of the library's patterns capture a token's prefix only."""

    def find(line: str) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(line):
            # `://user:password@`: the address may stay.
            group = 1 if match[0].startswith("://") and pattern.groups else 0
            start, end = match.span(group)
            if not group:  # a lazy pattern stops early; the rest of the token goes too
                rest = TOKEN_REST.match(line, end)
                end = rest.end() if rest else end
            yield start, end

    return find


def _random_strings(detector: Any) -> Finder:
    # Without quotes only what hexadecimal digits don't reach: commits may be read.
    words = re.compile(r"\Z(?!)") if detector.charset == string.hexdigits else LONG_WORD

    def find(line: str) -> Iterator[tuple[int, int]]:
        for value in {*detector.analyze_string(line), *words.findall(line)}:
            limit = detector.entropy_limit - (MIXED_MARGIN if MIXED.match(value) else 0.0)
            if detector.calculate_shannon_entropy(value) > limit:
                yield from _places(line, value)

    return find


def _values_of(detector: Any) -> Finder:
    def find(line: str) -> Iterator[tuple[int, int]]:
        for value in detector.analyze_string(line):
            yield from _places(line, value)

    return find


def _places(line: str, value: str) -> Iterator[tuple[int, int]]:
    start = line.find(value) if len(value) >= MIN_SECRET_CHARS else -1
    while start >= 0:
        yield start, start + len(value)
        start = line.find(value, start + len(value))


def _mask_lines(diff: str, finders: list[Finder], check: Callable[[], None]) -> Iterator[str]:
    is_key = False
    is_program = False
    numbers = count()
    # Only "\n" ends a line here: str.splitlines would take other characters for line ends too.
    for line in LINE.findall(diff):
        if next(numbers) % LINES_A_CHECK == 0:
            check()
        body, end = (line[:-1], "\n") if line.endswith("\n") else (line, "")
        if FILE_HEADER.match(body) or body.startswith("@@"):
            is_key = False
            if body.startswith(("diff --git ", "--- ", "+++ ")):
                is_program = PROGRAM_SUFFIX.search(body) is not None
            if not body.startswith(("@@", "--- ", "+++ ", "diff --git ")):
                yield line
                continue
        sign, text = (body[:1], body[1:]) if body[:1] in ("+", "-", " ") else ("", body)
        if KEY_BEGINS.search(text):
            is_key = True
        if is_key:
            is_key = not KEY_ENDS.search(text)
            yield sign + MASK + end
        elif len(text) > MAX_LINE_CHARS:
            yield f"{sign}[masked: a line of {len(text):,} characters]{end}"
        elif BASE64_LINE.match(text):
            yield sign + MASK + end
        else:
            yield sign + _mask_line(text, finders, is_program=is_program) + end


def _mask_line(
    text: str,
    finders: list[Finder],
    *,
    is_program: bool,
) -> str:
    places = [place for find in finders for place in find(text)]
    assigned = ASSIGNED.search(text)
    if assigned is not None:
        start = assigned.start("value")
        if is_program:
            places += [one.span("value") for one in QUOTED.finditer(text, start)]
        else:
            places.append((start, len(text)))
    if not is_program:
        places += [one.span("value") for one in SPACED.finditer(text)]
    places += [one.span("value") for one in BEARER.finditer(text)]
    places += [one.span("value") for one in URL_PASSWORD.finditer(text)]
    places += [one.span() for one in KNOWN_TOKEN.finditer(text)]
    return _cut(text, places)


def _cut(text: str, places: list[tuple[int, int]]) -> str:
    """Replace the places, which may overlap, from the left to the right."""
    parts: list[str] = []
    done = 0
    for start, end in sorted(places):
        if start >= done:
            parts += (text[done:start], MASK)
        done = max(done, end)
    return "".join((*parts, text[done:]))
