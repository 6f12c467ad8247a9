"""The Traces tab and one trace, in a real browser against the real server."""

from __future__ import annotations

import json
import os
import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from chat_traces import MS, chat_requests, request, span
from serving import serving
from ui_packages import install_ui_packages

TRACES = 120
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> {{7*7}} \u202e"


def post(url: str, body: dict[str, object]) -> None:
    httpx.post(f"{url}/v1/traces", json=body).raise_for_status()


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """A server with the chat application's traces: (its address, what was sent)."""
    with serving(tmp_path_factory.mktemp("traces") / "store") as running:
        sent = chat_requests(TRACES, time.time_ns())
        # In one request: each is made durable before it is answered.
        resources = [one for _, body in sent for one in body["resourceSpans"]]
        post(running.url, {"resourceSpans": resources})
        yield running.url, [known for known, _ in sent]


def rows(page):
    return page.get_by_role("row").filter(has=page.get_by_role("cell"))


def filter_field(page):
    """The filter's editor, once it has been loaded."""
    return page.locator(".cm-content")


def run_filter(page, text: str) -> None:
    filter_field(page).fill(text)
    filter_field(page).press("Enter")


def list_serious(page) -> list[str]:
    """Return the rules of axe that the page breaks badly."""
    axe = install_ui_packages() / "node_modules" / "axe-core" / "axe.min.js"
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


def test_an_empty_store_teaches_and_turns_into_the_list_by_itself(page, tmp_path):
    with serving(tmp_path / "store") as running:
        page.goto(running.url)
        expect(page.get_by_text(f'whence.set_tracking_uri("{running.url}")')).to_be_visible()
        [(_, body)] = chat_requests(1, time.time_ns())
        post(running.url, body)
        expect(rows(page).get_by_role("link", name="handle_chat")).to_be_visible()
        page.goto("about:blank")


def test_a_server_with_a_key_asks_for_it_once_and_the_palette_finds_every_version(page, tmp_path):
    with serving(tmp_path / "store", WHENCE_API_KEY="open sesame") as running:
        now_ns, headers = time.time_ns(), {"Authorization": "Bearer open sesame"}
        for number in range(40):
            spans = [span(f"{number + 1:032x}", 1, None, "answer", now_ns - MS, now_ns)]
            body = request(f"3.0.{number}", "production", spans)
            httpx.post(f"{running.url}/v1/traces", json=body, headers=headers).raise_for_status()
        page.goto(f"{running.url}/traces")
        key = page.get_by_label("API key")
        key.fill("wrong")
        key.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The key that was sent is not the server's.")
        expect(key).to_have_count(1)
        key.fill("open sesame")
        key.press("Enter")
        expect(page.get_by_text("40 traces")).to_be_visible()
        fields = page.get_by_role("complementary", name="Fields")
        expect(fields.get_by_text("production")).to_be_visible()
        page.keyboard.press("Control+k")
        palette = page.get_by_role("dialog", name="Command palette")
        for number in (7, 39):
            palette.get_by_role("combobox").fill(f"3.0.{number}")
            chosen = palette.get_by_role("option").filter(has_text=f"3.0.{number}Version")
            expect(chosen).to_be_visible()
        page.goto("about:blank")
    assert all("401" in problem for problem in page.problems)
    page.problems.clear()


def test_the_list_says_honestly_that_there_is_more(page, chat):
    url, _ = chat
    page.goto(f"{url}/traces")
    expect(page.get_by_text(f"showing 100 of {TRACES}")).to_be_visible()
    rows(page).first.hover()
    page.mouse.wheel(0, 100_000)
    expect(page.get_by_text(f"{TRACES} traces")).to_be_visible()


def test_a_filter_typed_finds_traces_and_stands_in_the_address(page, chat):
    url, sent = chat
    wanted = [
        known for known in sent if known.environment == "staging" and known.app_version == "1.1.0"
    ]
    page.goto(f"{url}/traces")
    page.keyboard.press("/")
    run_filter(page, "metadata.environment = 'staging' AND metadata.app_version >= '1.1.0'")
    expect(page.get_by_text(f"{len(wanted)} traces")).to_be_visible()
    assert "filter=metadata.environment" in page.url
    page.reload()
    expect(page.get_by_text(f"{len(wanted)} traces")).to_be_visible()
    page.go_back()
    expect(page.get_by_text(f"showing 100 of {TRACES}")).to_be_visible()


def test_words_without_an_operator_become_a_filter_for_what_was_said(page, chat):
    url, sent = chat
    page.goto(f"{url}/traces")
    run_filter(page, 'input:password "choose security"')
    asked = [turn for turn in range(len(sent)) if turn % 8 == 2 and not sent[turn].failed]
    expect(page.get_by_text(f"{len(asked)} traces")).to_be_visible()
    expect(filter_field(page)).to_have_text(
        "request_preview ILIKE '%password%' AND "
        "(request_preview ILIKE '%choose security%' OR response_preview ILIKE '%choose security%')"
    )


def test_what_is_typed_while_the_editor_arrives_is_kept(page, chat):
    url, _ = chat
    held = []
    page.route("**/assets/FilterEditor-*.js", lambda route: held.append(route))
    with page.expect_request("**/assets/FilterEditor-*.js"):
        page.goto(f"{url}/traces")
        page.keyboard.press("/")
    page.keyboard.type("state = ")
    expect(page.get_by_label("Filter", exact=True)).to_have_value("state = ")
    held.pop().continue_()
    page.keyboard.type("'OK' AND name = 'handle_chat' AND branch = 'main'", delay=4)
    expect(filter_field(page)).to_have_text(
        "state = 'OK' AND name = 'handle_chat' AND branch = 'main'"
    )


def test_a_wrong_filter_shows_its_place_and_keeps_the_rows(page, chat):
    url, _ = chat
    page.goto(f"{url}/traces")
    expect(rows(page).first).to_be_visible()
    run_filter(page, "state = 'OK' AND environmnt = 'production'")
    expect(page.get_by_role("alert")).to_contain_text("environment")
    expect(rows(page).first).to_be_visible()
    caret = page.locator("#filter-error").get_by_text("^", exact=True).bounding_box()
    field = filter_field(page).bounding_box()
    character = 7.8  # of the field's font at 13 px; the caret stands after 17 of them
    assert abs(caret["x"] - field["x"] - 12 - 17 * character) < character
    expect(filter_field(page)).to_have_text("state = 'OK' AND environmnt = 'production'")
    assert all("400" in problem for problem in page.problems)
    page.problems.clear()


def test_the_keyboard_walks_the_list_and_opens_a_trace(page, chat):
    url, _ = chat
    page.goto(f"{url}/traces?order_by=execution_time_ms+DESC")
    expect(rows(page).first).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next trace")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("tree")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("treeitem", selected=True)).to_contain_text("retrieve")
    page.keyboard.press("h")
    expect(page.get_by_role("treeitem", name="rerank")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("table")).to_be_visible()


def test_a_trace_opens_as_a_tree_with_its_metadata(page, chat):
    url, sent = chat
    failed = next(known for known in sent if known.failed)
    page.goto(f"{url}/traces?filter=trace_id+%3D+'{failed.trace_id}'")
    rows(page).get_by_role("link", name="handle_chat").click()
    expect(page.get_by_role("tree")).to_contain_text("write_answer")
    context = page.get_by_role("complementary")
    expect(context).to_contain_text("session-")
    expect(context).to_contain_text("mlflow.source.git.repoURL")
    expect(context).to_contain_text("https://git.example/shop/support-chat")
    page.keyboard.press("e")
    page.keyboard.press("e")
    expect(context).to_contain_text("TimeoutError")
    assert "span=0000000000000007" in page.url
    page.reload()
    expect(context).to_contain_text("You are a helpful support agent.")
    context.get_by_role("link", name="Context").click()
    row = context.locator("dl > div").filter(has_text=failed.app_version).first
    row.hover()
    row.get_by_role("link", name="Filter by this").click()
    expect(filter_field(page)).to_have_text(f"app_version = '{failed.app_version}'")


def test_the_pages_have_both_colour_schemes(page, chat, take_picture):
    url, sent = chat
    page.goto(f"{url}/traces")
    run_filter(page, "app_version >= '1.0.0' AND span.name = 'rerank'")
    expect(page.get_by_text("showing 100 of")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"\d ms$"))).to_be_visible()
    filter_field(page).blur()
    take_picture("traces")
    page.goto(f"{url}/traces/{sent[-1].trace_id}?span=0000000000000007")
    expect(page.get_by_role("tree")).to_contain_text("write_answer")
    expect(page.get_by_role("complementary", name="Details")).to_contain_text("support agent")
    take_picture("trace")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_title("Colours: system").click()
    page.get_by_title("Colours: light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_hostile_text_is_shown_as_text_and_a_missing_parent_as_missing(page, chat):
    url, _ = chat
    now = time.time_ns()
    trace_id = "f" * 32
    spans = [
        span(trace_id, 1, None, HOSTILE, now, now + 50 * MS, whence__inputs=f'"{"x" * 30_000}"'),
        span(trace_id, 3, 2, "orphan", now + MS, now + 9 * MS, **{HOSTILE: HOSTILE}),
    ]
    post(url, request("9.9.9", HOSTILE, spans))
    page.goto(f"{url}/traces/tr-{trace_id}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x")
    expect(page.get_by_role("tree")).to_contain_text("span 0000000000000002 was not recorded")
    page.get_by_role("link", name="orphan").click()
    expect(page.get_by_role("complementary")).to_contain_text("<img src=x")
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"
    page.goto(f"{url}/traces/tr-{trace_id}?span=0000000000000001")
    page.get_by_role("button", name="Show all 30.0 kB").click()


def test_a_blank_name_and_a_checklist_are_there_for_everybody(page, chat):
    url, _ = chat
    trace_id, now_ns = os.urandom(16).hex(), time.time_ns()
    messages = [{"role": "a role of " * 40, "content": "- [x] written\n- [ ] read"}]
    inputs = json.dumps({"messages": messages})
    spans = [
        span(trace_id, 1, None, "", now_ns - MS, now_ns, whence__inputs=inputs, user__id="blank")
    ]
    post(url, request("1.0.0", "production", spans))
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{url}/traces?filter=user+%3D+'blank'")
    expect(rows(page).get_by_role("link")).to_have_text("(no name)")
    assert list_serious(page) == []
    page.goto(f"{url}/traces/tr-{trace_id}?span={1:016x}")
    expect(page.get_by_role("treeitem")).to_contain_text("(no name)")
    expect(page.get_by_role("checkbox", name="to do")).to_be_visible()
    assert list_serious(page) == []
    card = page.get_by_role("complementary").bounding_box()
    role = page.get_by_text("a role of").first.bounding_box()
    assert role["x"] + role["width"] < card["x"] + card["width"]


def test_a_running_trace_refreshes_until_it_ends(page, chat):
    url, _ = chat
    now = time.time_ns()
    trace_id = "e" * 32
    post(
        url,
        request(
            "1.1.0",
            "staging",
            [span(trace_id, 1, None, "slow_job", now, None, whence__pending=True)],
        ),
    )
    page.goto(f"{url}/traces/tr-{trace_id}")
    expect(page.locator("main")).to_contain_text("Running")
    post(
        url, request("1.1.0", "staging", [span(trace_id, 1, None, "slow_job", now, now + 70 * MS)])
    )
    expect(page.get_by_role("tree")).to_contain_text("70.0 ms")


def test_ten_thousand_spans_stay_a_short_page(page, chat):
    url, _ = chat
    now = time.time_ns()
    trace_id = "d" * 32
    spans = [span(trace_id, 1, None, "wide", now, now + 10_001 * MS)]
    spans += [
        span(
            trace_id,
            number,
            max(1, number // 3),
            f"step {number}",
            now + number * MS,
            now + (number + 1) * MS,
        )
        for number in range(2, 10_001)
    ]
    for start in range(0, len(spans), 2_500):
        post(url, request("1.0.0", "test", spans[start : start + 2_500]))
    page.goto(f"{url}/traces/tr-{trace_id}")
    expect(page.get_by_role("link", name="step 2", exact=True)).to_be_visible()
    assert page.get_by_role("treeitem").count() < 150
    page.keyboard.press("k")
    expect(page.get_by_role("treeitem", selected=True)).to_be_visible()


def test_an_unknown_trace_and_an_unknown_page_say_so(page, chat):
    url, _ = chat
    page.goto(f"{url}/traces/tr-{'0' * 32}")
    expect(page.get_by_text("There is no such trace")).to_be_visible()
    assert list_serious(page) == []
    assert all("404" in problem for problem in page.problems)
    page.problems.clear()
    page.goto(f"{url}/nowhere")
    expect(page.get_by_text("There is no page here")).to_be_visible()
