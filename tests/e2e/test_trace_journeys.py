"""Reading a trace in the browser: its spans, its payloads, where it came from, what people judge.

The traces come from the SDK, run in a repository; what no SDK sends (skewed clocks, lost parents,
5 MB) comes over the wire.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from chat_traces import MS, request, span
from serving import serving
from shown_traces import HOSTILE
from ui_packages import install_ui_packages


def read_trace(url: str, trace_id: str) -> dict[str, object]:
    return httpx.get(f"{url}/api/v1/traces/{trace_id}").raise_for_status().json()


def span_id(url: str, trace_id: str, name: str) -> str:
    spans = read_trace(url, trace_id)["spans"]
    return next(one["span_id"] for one in spans if one["name"] == name)


def open_trace(page, url: str, trace_id: str, **params: str):
    query = "&".join(f"{key}={value}" for key, value in params.items())
    page.goto(f"{url}/traces/{trace_id}?{query}")
    expect(page.get_by_role("treeitem").first).to_be_visible()


def details(page):
    return page.get_by_role("complementary", name="Details")


def selected(page):
    return page.get_by_role("treeitem", selected=True)


def send_spans(url: str, trace_id: str, spans: list[dict[str, object]]) -> str:
    httpx.post(f"{url}/v1/traces", json=request("1.0.0", "test", spans)).raise_for_status()
    return f"tr-{trace_id}"


def test_the_context_card_leads_to_the_commit_and_to_traces_alike(page, agent):
    open_trace(page, agent.url, agent.new)
    card = details(page).get_by_role("region", name="Where it came from")
    commit = read_trace(agent.url, agent.new)["info"]["commit"]
    link = card.get_by_role("link", name=commit[:12])
    expect(link).to_have_attribute("href", f"https://git.example.com/shop/agent/commit/{commit}")
    expect(card).to_contain_text("uncommitted changes")
    expect(card).to_contain_text("configure()")
    card.get_by_text("What was not committed").click()
    expect(card).to_contain_text("WHENCE_STORE_DIFF=1")
    assert all("404" in problem for problem in page.problems)
    page.problems.clear()
    tenant = details(page).locator("dl > div").filter(has_text="tenant")
    expect(tenant).to_contain_text("update_current_trace()")
    tenant.hover()
    tenant.get_by_role("link", name="Filter by this").click()
    expect(page.locator(".cm-content")).to_have_text("metadata.tenant = 't 1'")
    page.go_back()
    card.locator("dl > div").filter(has_text="Session").hover()
    card.get_by_role("link", name="Filter by this").nth(5).click()
    expect(page.locator(".cm-content")).to_have_text("session = 'session-1'")


def test_a_conversation_is_read_with_its_tool_calls_and_their_results(page, agent):
    chat_id = span_id(agent.url, agent.new, "chat")
    open_trace(page, agent.url, agent.new, span=chat_id)
    chat = details(page).get_by_role("region", name="Chat")
    expect(chat.locator("strong").filter(has_text="this morning")).to_be_visible()
    call = chat.get_by_role("region", name="Call of look_up_order")
    expect(call.get_by_role("region", name="Arguments")).to_contain_text("48213")
    expect(call.get_by_role("region", name="Result")).to_contain_text("Norpost")
    expect(chat.get_by_text("Name the carrier.").last).not_to_be_visible()
    chat.locator("summary").filter(has_text="system").click()
    expect(chat.get_by_text("Name the carrier.").last).to_be_visible()
    expect(chat.get_by_text("The tool knows.")).not_to_be_visible()
    chat.get_by_text("Reasoning").click()
    expect(chat.get_by_text("The tool knows.")).to_be_visible()
    expect(chat.get_by_role("img", name="Part of the message")).to_be_visible()
    chat.get_by_text("1 tool offered").click()
    expect(chat.get_by_text("Find an order by its number").first).to_be_visible()
    chat.get_by_role("button", name="Plain").click()
    expect(chat.get_by_text("**this morning**")).to_be_visible()
    page.reload()
    expect(chat.get_by_text("**this morning**")).to_be_visible()
    chat.get_by_role("button", name="JSON").click()
    expect(chat.get_by_role("region", name="Messages")).to_contain_text("isOutput")
    chat.get_by_role("button", name="Markdown").click()


def test_tabs_are_those_with_something_to_show_and_attributes_are_narrowed(page, agent):
    open_trace(page, agent.url, agent.new, span=span_id(agent.url, agent.new, "chat"))
    tabs = details(page).get_by_role("navigation")
    expect(tabs.get_by_role("link")).to_have_text(
        [re.compile(one) for one in ("Chat", "In / out", "Attr", "Events", "Assess", "Raw", "Cont")]
    )
    tabs.get_by_role("link", name="Attributes").click()
    details(page).get_by_label("Narrow the attributes").fill("request.model")
    attributes = details(page).get_by_role("region", name="Attributes")
    expect(attributes.locator("dt")).to_have_count(1)
    attributes.locator("dl > div").hover()
    attributes.get_by_role("button", name="Pin gen_ai.request.model").click()
    pinned = page.get_by_role("treeitem").get_by_title("gen_ai.request.model")
    expect(pinned).to_have_text("model-b")
    attributes.get_by_role("button", name="Unpin gen_ai.request.model").click()
    expect(pinned).to_have_count(0)
    attributes.get_by_role("link", name="Filter by this").click()
    expect(page.locator(".cm-content")).to_contain_text("span.attributes.`gen_ai.request.model`")
    page.go_back()
    tabs.get_by_role("link", name="Events").click()
    expect(details(page)).to_contain_text("first token")
    # The tab stays when another span has it too, and gives way where it has not.
    page.keyboard.press("k")
    expect(details(page).get_by_role("heading", name="look_up_order")).to_be_visible()
    expect(tabs.locator("[aria-current]")).to_have_text("In / out")
    failed = page.get_by_role("treeitem").filter(has_text="error").get_by_role("link")
    failed.click()
    expect(details(page)).to_contain_text("TimeoutError")
    details(page).get_by_text("Stack trace").click()
    expect(details(page).locator("pre")).to_contain_text("agent.py")


def test_spans_are_found_by_text_and_narrowed_by_errors_and_type(page, agent):
    open_trace(page, agent.url, agent.new)
    page.keyboard.press("/")
    page.keyboard.type("norpost")
    find = page.get_by_role("toolbar", name="Spans")
    expect(find.get_by_role("status")).to_have_text("3")
    page.keyboard.press("Enter")
    expect(find.get_by_role("status")).to_have_text("1 of 3")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(find.get_by_role("status")).to_have_text("2 of 3")
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(find.get_by_role("status")).to_have_text("3 of 3")
    expect(selected(page)).to_contain_text("chat")
    assert "find=norpost" in page.url
    page.reload()
    expect(find.get_by_role("status")).to_have_text("3 of 3")
    find.get_by_role("searchbox").fill("")
    find.get_by_role("button", name="Errors").click()
    expect(page.get_by_role("treeitem")).to_have_count(2)
    assert "only=errors" in page.url
    find.get_by_role("button", name="Errors").click()
    find.get_by_role("button", name="Type").click()
    page.get_by_role("checkbox", name="RERANKER").check()
    expect(page.get_by_role("treeitem")).to_have_count(3)
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("treeitem")).to_have_count(3)


def test_the_keyboard_walks_the_tree_and_the_list(page, agent):
    page.goto(f"{agent.url}/traces?filter=app_version+%3E%3D+'2.0.0'")
    page.get_by_role("table").get_by_role("link", name="answer_ticket").first.click()
    expect(page.get_by_role("heading", name="answer_ticket")).to_be_visible()
    expect(page.get_by_role("treeitem")).to_have_count(7)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Next trace of the list")
    page.keyboard.press("Escape")
    page.keyboard.press("[")
    expect(page.get_by_role("treeitem")).to_have_count(1)
    page.keyboard.press("]")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("h")
    expect(page.get_by_role("treeitem")).to_have_count(5)
    page.keyboard.press("l")
    page.keyboard.press("e")
    expect(selected(page)).to_contain_text("look_up_order")
    page.keyboard.press("Escape")
    expect(selected(page)).to_have_count(0)
    assert agent.new in page.url
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("treeitem").filter(has_text="cache_lookup")).to_be_visible()
    assert agent.old in page.url
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("treeitem").filter(has_text="rerank")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("table")).to_be_visible()
    assert "filter=app_version" in page.url


def test_the_time_is_zoomed_by_wheel_drag_overview_and_double_click(page, agent):
    open_trace(page, agent.url, agent.new)
    overview = page.get_by_role("slider", name="Overview")
    whole = overview.get_attribute("aria-valuetext")
    lanes = page.get_by_role("treeitem").filter(has_text="rerank")
    box = lanes.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 8)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    page.get_by_role("button", name="Reset zoom").click()
    expect(overview).to_have_attribute("aria-valuetext", whole)
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.85, box["y"] + 8, steps=4)
    page.mouse.up()
    expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    expect(selected(page)).to_have_count(0)
    page.keyboard.press("0")
    expect(overview).to_have_attribute("aria-valuetext", whole)
    lanes.dblclick()
    expect(overview).not_to_have_attribute("aria-valuetext", whole)
    zoomed = overview.get_attribute("aria-valuetext")
    overview.focus()
    page.keyboard.press("ArrowRight")
    expect(overview).not_to_have_attribute("aria-valuetext", zoomed)
    page.keyboard.press("Home")
    expect(overview).to_have_attribute("aria-valuetext", whole)
    map_box = overview.bounding_box()
    page.mouse.move(map_box["x"] + 40, map_box["y"] + 10)
    page.mouse.down()
    page.mouse.move(map_box["x"] + 240, map_box["y"] + 10, steps=4)
    page.mouse.up()
    expect(overview).not_to_have_attribute("aria-valuetext", whole)
    names = page.get_by_role("separator", name="Width of the names")
    before = names.bounding_box()["x"]
    names.focus()
    page.keyboard.press("ArrowRight")
    page.reload()
    expect(page.get_by_role("treeitem").first).to_be_visible()
    assert abs(names.bounding_box()["x"] - before - 24) < 2


def test_tags_and_assessments_are_edited_in_place(page, agent):
    open_trace(page, agent.url, agent.old)
    tags = details(page).get_by_role("region", name="Tags")
    tags.get_by_role("button", name="Add a tag").click()
    tags.get_by_label("Key").fill("reviewed/by me")
    tags.get_by_label("Value").fill("yes")
    tags.get_by_role("button", name="Save").click()
    row = tags.get_by_text("reviewed/by me")
    row.hover()
    tags.get_by_role("button", name="Edit the tag reviewed/by me").click()
    tags.get_by_label("Value of reviewed/by me").fill(HOSTILE)
    page.keyboard.press("Enter")
    expect(tags).to_contain_text("<img src=x")
    row.hover()
    tags.get_by_role("button", name="Delete the tag reviewed/by me").click()
    expect(row).to_have_count(0)

    page.keyboard.press("f")
    form = details(page).get_by_role("form", name="New assessment")
    form.get_by_role("button", name="Bad").click()
    form.get_by_label("Rationale").fill("It names no carrier.")
    form.get_by_label("Judge").fill("ann")
    form.get_by_role("button", name="Add feedback").click()
    helpful = details(page).get_by_role("article", name="helpful")
    expect(helpful).to_contain_text("It names no carrier.")
    helpful.get_by_role("button", name="Edit").click()
    edit = details(page).get_by_role("form", name="Edit helpful")
    edit.get_by_role("button", name="Good").click()
    edit.get_by_role("button", name="Save").click()
    expect(helpful).to_contain_text("1 earlier")
    helpful.get_by_text("1 earlier").click()
    expect(helpful.locator("[data-value='false']")).to_be_visible()
    details(page).get_by_role("button", name="Add", exact=True).click()
    form.get_by_label("Kind").select_option("expectation")
    form.get_by_label("Name").fill("carrier")
    form.get_by_label("Value").fill('{"name": "Norpost"}')
    form.get_by_role("button", name="Add expectation").click()
    carrier = details(page).get_by_role("article", name="carrier")
    expect(carrier).to_contain_text("Norpost")
    stored = read_trace(agent.url, agent.old)["info"]["assessments"]
    valid = {one["assessment_name"]: one for one in stored if one["valid"]}
    assert valid["helpful"]["feedback"]["value"] is True
    assert valid["helpful"]["source"] == {"source_type": "HUMAN", "source_id": "ann"}
    assert json.loads(valid["carrier"]["expectation"]["serialized_value"]["value"]) == {
        "name": "Norpost"
    }
    carrier.get_by_role("button", name="Delete").click()
    carrier.get_by_role("button", name="Delete carrier").click()
    expect(carrier).to_have_count(0)


def test_a_payload_of_5_mb_is_opened_searched_and_stays_a_short_page(page, agent):
    now = time.time_ns()
    trace_id = "a5" * 16
    rows = [{"id": number, "text": "x" * 200} for number in range(20_000)]
    payload = json.dumps({"rows": rows, "needle": "found it", "text": json.dumps({"deep": [1]})})
    assert len(payload) > 4_000_000
    big = span(trace_id, 1, None, "big", now, now + MS, whence__outputs=payload)
    open_trace(page, agent.url, send_spans(agent.url, trace_id, [big]), span=f"{1:016x}", view="io")
    outputs = details(page).get_by_role("region", name="Outputs")
    outputs.get_by_role("button", name="Open", exact=True).first.click()
    expect(outputs).to_contain_text("[20,000 items]")
    outputs.get_by_label("Find in Outputs").fill("found it")
    page.keyboard.press("Enter")
    expect(outputs.get_by_role("status")).to_have_text("1 of 1")
    expect(outputs.locator("mark")).to_have_text("found it")
    outputs.get_by_label("Find in Outputs").fill("19999")
    page.keyboard.press("Enter")
    expect(outputs.locator("[data-current]")).to_contain_text("19999")
    assert outputs.locator("[data-index]").count() < 120
    details(page).get_by_role("link", name="Raw").click()
    expect(details(page).get_by_role("region", name="The span as")).to_contain_text("outputs")


def test_missing_parents_and_clocks_that_disagree_are_said(page, agent):
    now = time.time_ns()
    trace_id = "b7" * 16
    spans = [
        span(trace_id, 1, None, HOSTILE, now, now + 50 * MS),
        span(trace_id, 2, 1, "early", now - 8 * MS, now + 9 * MS),
        span(trace_id, 4, 3, "orphan", now + MS, now + 9 * MS),
    ]
    open_trace(page, agent.url, send_spans(agent.url, trace_id, spans))
    notes = page.get_by_role("note")
    expect(notes.first).to_contain_text("Spans are missing. 1 span names a parent")
    expect(notes.last).to_contain_text("Clocks disagree. 1 span begins before the parent")
    expect(notes.last).to_contain_text("8.00 ms")
    notes.last.get_by_role("button", name="Show the first").click()
    expect(selected(page)).to_contain_text("early")
    expect(page.get_by_role("tree")).to_contain_text(f"span {3:016x} was not recorded")
    for chart in ("flame", "table"):
        page.goto(f"{agent.url}/traces/tr-{trace_id}?chart={chart}")
        expect(page.locator("main").get_by_text("<img src=x").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


def test_a_trace_is_downloaded_as_json_and_as_otlp_that_a_server_takes(page, agent, tmp_path):
    open_trace(page, agent.url, agent.new)
    found = {}
    for title in ("JSON", "OTLP"):
        page.get_by_role("button", name="Download").click()
        with page.expect_download() as started:
            page.get_by_role("button", name=re.compile(f"^{title}")).click()
        found[title] = Path(started.value.path()).read_text(encoding="utf-8")
    original = read_trace(agent.url, agent.new)
    assert json.loads(found["JSON"])["info"] == original["info"]
    with serving(tmp_path / "other") as other:
        body = found["OTLP"].encode()
        headers = {"content-type": "application/json"}
        httpx.post(f"{other.url}/v1/traces", content=body, headers=headers).raise_for_status()
        copy = read_trace(other.url, agent.new)
    same = ("name", "inputs", "outputs", "start_time_ns", "end_time_ns", "parent_id", "span_type")
    assert [[one.get(key) for key in same] for one in copy["spans"]] == [
        [one.get(key) for key in same] for one in original["spans"]
    ]
    assert copy["info"]["app_version"] == "2.1.0"
    assert copy["info"]["tags"]["team"] == "support"


def test_time_is_summed_up_by_name_and_drawn_as_a_flame(page, agent):
    open_trace(page, agent.url, agent.new)
    page.get_by_role("link", name="By name").click()
    table = page.get_by_role("table")
    lookups = table.get_by_role("row").filter(has_text="look_up_order")
    expect(lookups.get_by_role("cell").first).to_have_text("2")
    table.get_by_role("button", name="Errors").click()
    expect(table.get_by_role("row").nth(1)).to_contain_text("look_up_order")
    lookups.get_by_role("link", name="look_up_order").click()
    expect(page.get_by_role("toolbar", name="Spans").get_by_role("status")).to_have_text("3")
    page.get_by_role("link", name="Flame").click()
    page.get_by_role("region", name="Flame chart").get_by_role("button", name="rerank").click()
    expect(details(page).get_by_role("heading", name="rerank")).to_be_visible()


def test_spans_and_events_are_read_as_a_log(page, agent):
    open_trace(page, agent.url, agent.new)
    page.get_by_role("link", name="Log", exact=True).click()
    lines = page.get_by_role("region", name="Log").get_by_role("listitem")
    expect(lines.first).to_contain_text("answer_ticket")
    failure = lines.filter(has_text="exception")
    expect(failure.first).to_contain_text("TimeoutError")
    failure.first.get_by_role("link").click()
    expect(details(page).get_by_role("heading", name="look_up_order")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.press("j")
    assert "chart=log" in page.url
    page.reload()
    expect(lines.and_(page.locator("[aria-current='true']")).first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_a_trace(page, agent, scheme):
    axe = install_ui_packages() / "node_modules" / "axe-core" / "axe.min.js"
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    chat_id = span_id(agent.url, agent.new, "chat")
    pages = (
        f"/traces/{agent.new}?find=norpost",
        f"/traces/{agent.new}?span={chat_id}",
        f"/traces/{agent.new}?span={chat_id}&view=attributes&chart=table",
        f"/traces/{agent.new}?view=assessments&chart=flame",
        f"/diff/{agent.old}...{agent.new}",
        f"/diff/{agent.old}...{agent.new}?path=answer_ticket/chat",
    )
    for path in pages:
        page.goto(agent.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        if "find=" in path:
            expect(page.get_by_role("toolbar").get_by_role("status")).to_be_visible()
        page.evaluate(axe.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        serious = [
            (one["id"], [node["html"][:200] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
