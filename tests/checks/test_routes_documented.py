"""Every route, every command and every setting is documented, and generated pages are fresh."""

from __future__ import annotations

import typer.main
from fastapi import FastAPI
from source_tree import ROOT

from whence.cli import load_commands
from whence.cli.frame import app
from whence.cli.reference import list_commands, write_reference
from whence.server.app import ROUTERS
from whence.server.settings import Settings, describe_settings

DOCS = ROOT / "docs"


def routes() -> set[tuple[str, str]]:
    api = FastAPI()
    for make_router in ROUTERS:
        api.include_router(make_router(None))  # building a router asks nothing of the services
    document = api.openapi()
    return {(method.upper(), path) for path, one in document["paths"].items() for method in one}


def test_every_route_is_documented():
    text = (DOCS / "http-api.md").read_text(encoding="utf-8")
    found = routes()
    assert ("POST", "/v1/traces") in found and len(found) > 12
    missing = [
        f"{method} {path}"
        for method, path in sorted(found)
        if f"{path}`" not in text and f"{path}?" not in text or method not in text
    ]
    assert not missing, missing


def test_every_command_is_documented():
    load_commands()
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    commands = {name for name, _ in list_commands(typer.main.get_command(app))}
    assert {"server", "search", "show", "context", "tail", "export file", "import otlp"} <= commands
    assert not [name for name in commands if f"## whence {name}\n" not in text]


def test_the_command_reference_is_fresh():
    """`python -m whence.cli.reference > docs/cli.md` mends it."""
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == write_reference()


def test_every_setting_is_documented_and_the_table_is_fresh():
    """`python -m whence.server.settings` prints the table of docs/server.md."""
    text = (DOCS / "server.md").read_text(encoding="utf-8")
    assert describe_settings() in text
    assert all(field.description for field in Settings.model_fields.values())
