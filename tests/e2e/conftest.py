"""Chromium for the journeys, and pages whose console must stay free of errors."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import expect, sync_playwright

from serving import serving
from shown_traces import make_agent, record_agent

# Waits end when what they wait for is there. These say when to give up, beside a whole suite.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


class Recorded(NamedTuple):
    """The server, and the ids of the agent's traces at 2.0.0 and 2.1.0."""

    url: str
    old: str
    new: str


@pytest.fixture(scope="session")
def agent(tmp_path_factory):
    """One agent at two versions, recorded once for all that only add to its store."""
    folder = make_agent(tmp_path_factory.mktemp("agent"))
    with serving(tmp_path_factory.mktemp("agent-store") / "store") as running:
        old, new = (record_agent(folder, running.url, version) for version in ("2.0.0", "2.1.0"))
        yield Recorded(running.url, old, new)


@pytest.fixture
def take_picture(page, tmp_path):
    """Take a picture of the page; with WHENCE_UPDATE_SCREENSHOTS=1 it replaces the one in the docs."""
    folder = IMAGES if os.environ.get("WHENCE_UPDATE_SCREENSHOTS") == "1" else tmp_path

    def take(name: str, height: int = 860) -> None:
        page.evaluate("document.fonts.ready")
        page.mouse.move(0, 0)
        shown = {"x": 0, "y": 0, "width": 1440, "height": height}
        page.screenshot(
            path=folder / f"{name}.png", clip=shown, animations="disabled", caret="hide"
        )

    return take


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_OPTIONS
        )
        yield started
        started.close()


@pytest.fixture
def page(browser):
    """A page whose console and network must stay free of errors; tests may expect some."""
    context = browser.new_context(viewport={"width": 1440, "height": 860}, color_scheme="light")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.set_default_timeout(PATIENCE_MS)
    opened.problems = problems
    yield opened
    context.close()
    assert problems == []
