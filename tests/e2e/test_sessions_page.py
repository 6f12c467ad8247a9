"""Sessions as conversations, and users: listed, followed, filtered, in real Chromium.

The store is filled through the SDK.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from serving import clean_environment, serving
from ui_packages import install_ui_packages

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> \u202e 😀 / ?"
PROGRAM = """
import sys, time, whence

@whence.trace
def answer(question, reply, session, user, app_version):
    whence.update_current_trace(
        metadata={"environment": "production", "app_version": app_version},
        session_id=session, user=user,
    )
    if reply is None:
        raise TimeoutError("the carrier did not answer")
    return reply

def ask(*given):
    time.sleep(0.003)  # so that no two begin in the same millisecond
    try:
        answer(*given)
    except TimeoutError:
        pass

ask("Where is my order 24527?", "It left Leipzig this morning.", "session-a", "user-1", "2.0.0")
ask("Can I still change the address?", "Yes, until noon.", "session-a", "user-1", "2.0.0")
ask("Please change it to Elm Street 5.", None, "session-a", "user-1", "2.1.0")
ask("Please change it to Elm Street 5. " * 60, "Done.", "session-a", "user-1", "2.1.0")
trace_id = whence.get_last_active_trace_id()
whence.flush()
whence.log_feedback(trace_id=trace_id, name="helpful", value=True)
for number in range(3):
    ask(f"Question {number}", f"Answer {number}", "session-b", "user-2", "2.0.0")
ask(sys.argv[1], sys.argv[1], sys.argv[1], sys.argv[1], sys.argv[1])
whence.flush()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("sessions") / "store") as running:
        command = [sys.executable, "-c", PROGRAM, HOSTILE]
        subprocess.run(
            command, env=clean_environment(WHENCE_URL=running.url), check=True, timeout=60
        )
        yield running.url


def turns(page):
    return page.get_by_role("list", name="Conversation").get_by_role("listitem")


def test_a_session_is_read_as_a_conversation_with_the_change_of_version(page, url):
    page.goto(f"{url}/traces")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Sessions").click()
    expect(page.get_by_role("status").filter(has_text="3 sessions")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="session-a")
    expect(row).to_contain_text("Where is my order 24527?")
    row.get_by_role("link").click()
    expect(turns(page)).to_have_count(4)
    expect(turns(page).nth(0)).to_contain_text("It left Leipzig this morning.")
    expect(turns(page).nth(2)).to_contain_text("version changed from 2.0.0 to 2.1.0")
    expect(turns(page).nth(2)).to_contain_text("Error")
    last = turns(page).nth(3)
    expect(last).to_contain_text("helpful: true")
    last.get_by_role("button", name="Show whole").click()
    expect(last.get_by_role("region", name="Inputs")).to_contain_text(
        "Please change it to Elm Street 5. " * 59
    )
    last.get_by_role("link", name="answer").click()
    expect(page.get_by_role("tree")).to_contain_text("answer")
    page.go_back()
    expect(turns(page)).to_have_count(4)
    page.get_by_role("link", name="user-1").click()
    expect(page.get_by_role("heading", name="user-1")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="session-a")).to_be_visible()
    page.reload()
    page.get_by_role("link", name="In the Traces tab").click()
    expect(page.locator(".cm-content")).to_have_text("user = 'user-1'")


def test_the_filter_and_the_address_narrow_the_list(page, url):
    page.goto(f"{url}/sessions?filter=app_version+%3D+'2.1.0'")
    expect(page.get_by_role("status").filter(has_text="1 session")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="session-a")
    expect(row.get_by_role("cell").nth(1)).to_have_text("2")
    page.locator(".cm-content").fill("app_version = ")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.problems.clear()  # the browser reports the 400 that was asked for
    expect(row).to_be_visible()
    page.go_back()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_hostile_names_are_shown_as_text_and_led_to(page, url):
    page.goto(f"{url}/users")
    page.get_by_role("row").filter(has_text="<img src=x").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x")
    expect(page.get_by_text("both kinds of quotes")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title().startswith("<img src=x")


def test_a_name_that_no_trace_has_says_so(page, url):
    page.goto(f"{url}/sessions/nobody")
    expect(page.get_by_text("No trace of this session is stored yet")).to_be_visible()
    page.goto(f"{url}/users?filter=user+%3D+'nobody'")
    expect(page.get_by_text("No trace here names a user")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_a_picture_is_taken(page, url, scheme, take_picture):
    axe = install_ui_packages() / "node_modules" / "axe-core" / "axe.min.js"
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for path in ("/sessions", "/sessions/session-a", "/users/user-1"):
        page.goto(url + path)
        expect(page.get_by_text(re.compile("session-a")).first).to_be_visible()
        expect(page.get_by_text("2.1.0").first).to_be_visible()
        if (path, scheme) == ("/sessions/session-a", "light"):
            take_picture("session", height=500)
        page.evaluate(axe.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        serious = [
            (one["id"], [node["html"][:160] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
