"""Programs that run another one: servers, workers, test runners; and what their words mean.

One row a launcher. The application's name is what a person typed: `shop.main:app`, `proj` after
`celery -A`, `shop/page.py` after `streamlit run`. An option that a row does not list as a flag
takes the next word as its value; `--no-…` never does. Last resort: any word of the form
`module:attribute`. A script that merely has a launcher's name (`./celery.py`) is a script.
"""

from __future__ import annotations

import os
import re
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context.program.commands import MODULE, SCRIPT, Command
from whence.sdk.context.program.gunicorn_config import read_wsgi_app
from whence.sdk.context.program.kinds import NOTEBOOK, Program, find_kind
from whence.sdk.context.program.loaded import read_loaded_app
from whence.sdk.context.program.modules import find_module, is_file, make_absolute, own_file
from whence.sdk.context.program.pytest_run import find_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APP_REFERENCE = re.compile(r"^(?:[aw]sgi:)?([A-Za-z_][\w.]*):[A-Za-z_][\w.]*(?:\(.*\))?$")
REFERENCE = re.compile(r"^[^\s:-][^\s:]*(?::[^\s:/][^\s:]*){0,2}(?:\(.*\))?$")
PREFIX = re.compile(r"^(asgi|wsgi|file):(?=[^:]*:)")  # hypercorn's
PORT = re.compile(r":\d+$")


class Launcher(msgspec.Struct, frozen=True):
    """How a launcher is told what to run. All words are those of its command line."""

    is_positional: bool = True
    subcommands: frozenset[str] = frozenset()  # some of them stand before the application
    options: tuple[str, ...] = ()  # whose value is the application
    flags: frozenset[str] = frozenset()  # without a value
    folders: tuple[str, ...] = ()  # whose value is a folder to import from
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  # in the current folder, where nothing is said
    kind: str | None = None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FLASK = Launcher(
    is_positional=False,
    options=("--app", "-A"),
    variables=("FLASK_APP",),
    files=("wsgi.py", "app.py"),
    flags=_words("--debug --reload --debugger --with-threads"),
)
_DJANGO = Launcher(
    is_positional=False, options=("--settings",), variables=("DJANGO_SETTINGS_MODULE",)
)
_TARGET = Launcher(
    is_positional=False,
    options=("--target",),
    variables=("FUNCTION_TARGET",),
    flags=_words("--debug"),
)

LAUNCHERS: dict[str, Launcher] = {
    "uvicorn": Launcher(
        variables=("UVICORN_APP",),
        folders=("--app-dir",),
        flags=_words(
            "--reload --factory --http2 --access-log --use-colors --proxy-headers --server-header"
            " --date-header --reset-contextvars"
        ),
    ),
    "gunicorn": Launcher(
        folders=("--chdir", "--pythonpath"),
        flags=_words(
            "--reload --spew --check-config --print-config --preload --reuse-port -D --daemon"
            " --initgroups --disable-redirect-access-to-syslog --capture-output --log-syslog -R"
            " --enable-stdio-inheritance --enable-backlog-metric --suppress-ragged-eofs"
            " --do-handshake-on-connect --permit-obsolete-folding --strip-header-spaces"
            " --permit-unconventional-http-method --permit-unconventional-http-version"
            " --casefold-http-method"
        ),
    ),
    "hypercorn": Launcher(flags=_words("--reload --debug -D --daemon")),
    "granian": Launcher(
        folders=("--working-dir",),
        flags=_words(
            "--reload --factory --ws --log --access-log --metrics --http1-keep-alive"
            " --http1-pipeline-flush --http2-adaptive-window --ssl-client-verify"
            " --respawn-failed-workers --reload-ignore-worker-failure"
        ),
    ),
    "daphne": Launcher(flags=_words("--proxy-headers --no-server-name")),
    "waitress-serve": Launcher(
        flags=_words("--call --expose-tracebacks --ipv4 --ipv6 --clear-untrusted-proxy-headers")
    ),
    "fastapi": Launcher(
        subcommands=_words("run dev"),
        options=("--entrypoint", "-e"),
        files=("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py"),
        flags=_words("--reload --proxy-headers"),
    ),
    "flask": _FLASK,
    "quart": msgspec.structs.replace(_FLASK, variables=("QUART_APP",), files=()),
    "litestar": Launcher(is_positional=False, options=("--app",), variables=("LITESTAR_APP",)),
    "django-admin": _DJANGO,
    "django": _DJANGO,
    "streamlit": Launcher(subcommands=_words("run")),
    "chainlit": Launcher(subcommands=_words("run"), flags=_words("-w --watch -h --headless")),
    "marimo": Launcher(
        subcommands=_words("run edit export html ipynb md script"),
        kind=NOTEBOOK,
        flags=_words("--headless --no-token --sandbox --watch --include-code --skip-update-check"),
    ),
    "celery": Launcher(
        is_positional=False, options=("-A", "--app"), variables=("APP",), folders=("--workdir",)
    ),
    "dramatiq": Launcher(folders=("-P", "--path"), flags=_words("-v --verbose --skip-logging")),
    "arq": Launcher(flags=_words("--burst --check")),
    "taskiq": Launcher(subcommands=_words("worker scheduler"), flags=_words("-fsd --reload -r")),
    "functions-framework": _TARGET,
    "functions_framework": _TARGET,
}


def find_application(command: Command) -> Program | None:
    """Return the program that the command makes a launcher run, or None if it is no launcher."""
    launcher = name_launcher(command)
    if launcher in ("pytest", "py.test"):
        return find_tests(command.arguments)
    row = LAUNCHERS.get(launcher)
    if row is None:
        return None
    positional, options = split_words(command.arguments, row.flags, row.subcommands)
    for reference, source in _candidates(launcher, row, command, positional, options):
        if reference:
            folders = [Path(folder) for name in row.folders for folder in options.get(name, ())]
            return describe(reference, source, folders, row.kind)
    return None


def name_launcher(command: Command) -> str:
    """Return the name under which a launcher would stand in the table, '' for other programs."""
    if command.how == MODULE:
        return command.target.split(".")[0]
    if command.how != SCRIPT:
        return ""
    name = re.split(r"[/\\]", command.target)[-1].lower()
    return "" if name.endswith(".py") else re.sub(r"(-script\.pyw?|\.exe)$", "", name)


def split_words(
    arguments: Sequence[str], flags: frozenset[str], subcommands: frozenset[str] = frozenset()
) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words that belong to no option, and the values of each option."""
    positional: list[str] = []
    options: dict[str, list[str]] = {}
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            positional += words
            break
        if not word.startswith("-") or word == "-":
            positional.append(word)
        elif word in flags or word.startswith("--no-"):
            continue
        elif word.startswith("--") and "=" in word:
            name, _, value = word.partition("=")
            options.setdefault(name, []).append(value)
        elif not word.startswith("--") and len(word) > 2:  # noqa: PLR2004 - `-Aproj`
            options.setdefault(word[:2], []).append(word[2:])
        elif words and not words[0].startswith("-") and words[0] not in subcommands:
            # Else it was a flag that the row doesn't know.
            options.setdefault(word, []).append(words.pop(0))
    return positional, options


def _candidates(
    launcher: str,
    row: Launcher,
    command: Command,
    positional: list[str],
    options: dict[str, list[str]],
) -> Iterator[tuple[str | None, str]]:
    """Yield what may name the application, and where it was read, the most certain first."""
    said = f"{launcher}'s arguments"
    for name in row.options:
        yield from ((value, said) for value in options.get(name, ()))
    if row.is_positional:
        rest = list(dropwhile(row.subcommands.__contains__, positional))
        if row.subcommands and len(rest) == len(positional):
            rest = []  # another command of the launcher, which runs nothing
        yield next(filter(_is_reference, rest), None), said
        yield next(filter(APP_REFERENCE.match, command.arguments), None), said
    for name in row.variables:
        yield os.environ.get(name), f"env {name}"
    yield read_loaded_app(launcher), f"{launcher} in memory"
    if launcher == "gunicorn":
        yield read_wsgi_app(options), "gunicorn's configuration"
    if not row.subcommands.isdisjoint(positional) or not row.subcommands:
        default = next((file for file in row.files if is_file(Path(file))), None)
        yield default, f"the file that {launcher} looks for"


def _is_reference(word: str) -> bool:
    return REFERENCE.match(word) is not None and PORT.search(word) is None


def describe(reference: str, source: str, folders: list[Path], kind: str | None = None) -> Program:
    """Return the program that a reference such as `shop.main:app` or `shop/page.py` names."""
    kind = kind or find_kind()
    reference = PREFIX.sub("", reference)
    target, _, attribute = reference.partition(":")
    if target.endswith((".py", ".ipynb")) or "/" in target or "\\" in target:
        path = Path(target)
        found = next((one for one in (folder / path for folder in folders) if is_file(one)), path)
        file = own_file(make_absolute(found))
        return Program(reference, kind, source, file, name_is_path=not attribute)
    found_file = find_module(target, folders)
    return Program(reference, kind, source, own_file(found_file), module=target)
