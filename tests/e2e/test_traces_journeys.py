"""Finding traces in the Traces tab: by typing, clicking, dragging, the keyboard and the address.

The store is filled through the SDK; the browser is real Chromium.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from serving import clean_environment, serving
from ui_packages import install_ui_packages

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> \u202e 😀"
# One trace for each line: environment, version, number of traces.
SENT = (
    ("production", "2.0.0", 9),
    ("production", "2.1.0", 7),
    ("staging", "2.1.0", 5),
    ("development", "2.2.0-rc1", 3),
)
TOTAL = sum(count for _, _, count in SENT)
WANTED = "environment = 'production' AND app_version = '2.1.0'"
PROGRAM = """
import json, os, sys, whence

@whence.trace
def answer(question, environment, app_version, session):
    whence.update_current_trace(
        metadata={"environment": environment, "app_version": app_version, "tenant": "t 1"},
        session_id=session, user="user-7",
    )
    if "fail" in question:
        raise RuntimeError("no answer")
    return "an answer to " + question

for number, (question, environment, app_version, session) in enumerate(json.loads(sys.argv[1])):
    try:
        answer(question, environment, app_version, session)
    except RuntimeError:
        pass
whence.flush()
"""


def record(url: str, calls: list[tuple[str, str, str, str]]) -> None:
    """Trace these calls with the SDK, in a program of its own."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(calls)]
    subprocess.run(command, env=clean_environment(WHENCE_URL=url), check=True, timeout=60)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    calls = [
        (f"question {number}", environment, version, f"session-{number // 3}")
        for environment, version, count in SENT
        for number in range(count)
    ]
    with serving(tmp_path_factory.mktemp("journeys") / "store") as running:
        record(running.url, calls)
        yield running.url


def rows(page):
    return page.get_by_role("row").filter(has=page.get_by_role("cell"))


def fields(page):
    return page.get_by_role("complementary", name="Fields")


def editor(page):
    return page.locator(".cm-content")


def suggestions(page):
    return page.locator(".cm-tooltip-autocomplete").get_by_role("option")


def expect_count(page, count):
    said = re.compile(rf"^{count} trace")
    expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()


def test_production_traces_of_a_version_are_found_by_typing_with_suggestions(page, url):
    page.goto(f"{url}/traces")
    editor(page).wait_for()
    page.keyboard.press("/")
    options = suggestions(page)
    page.keyboard.type("env")
    expect(options).to_have_count(2)
    expect(options.first).to_contain_text("environment")
    page.keyboard.press("Tab")
    expect(options.filter(has_text="NOT IN")).to_be_visible()
    page.keyboard.type("= ")
    expect(options.first).to_contain_text(re.compile(r"'production'\s*16"))
    page.keyboard.press("Tab")
    expect(options.first).to_contain_text("AND")
    page.keyboard.type("AND app_version = '2.1")
    expect(options).to_have_count(1)
    page.keyboard.press("Tab")
    expect(editor(page)).to_have_text(re.compile(f"^{re.escape(WANTED)} ?$"))
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect_count(page, 7)
    assert "filter=environment" in page.url


def test_facets_and_the_filter_are_one_state_and_back_and_reload_keep_it(page, url):
    page.goto(f"{url}/traces")
    expect_count(page, TOTAL)
    fields(page).get_by_role("link", name="production").first.click()
    version = fields(page).get_by_role("region", name="Version")
    wanted = version.get_by_role("link", name="2.1.0").first
    expect(wanted).to_contain_text("7")  # counted anew: no row moves under the click
    wanted.click()
    expect(editor(page)).to_have_text(WANTED)
    expect_count(page, 7)
    # The values beside the chosen ones stay to be chosen, with their counts.
    expect(version.get_by_role("link", name="2.0.0").first).to_contain_text("9")
    version.get_by_role("link", name="2.0.0").first.click()
    expect(editor(page)).to_have_text(
        "environment = 'production' AND app_version IN ('2.1.0', '2.0.0')"
    )
    expect_count(page, 16)
    page.go_back()
    expect_count(page, 7)
    page.reload()
    expect_count(page, 7)
    expect(editor(page)).to_have_text(WANTED)
    fields(page).get_by_role("link", name="production").first.click(modifiers=["Alt"])
    expect(editor(page)).to_have_text("NOT environment = 'production' AND app_version = '2.1.0'")
    expect_count(page, 5)
    page.go_back()
    page.go_forward()
    expect_count(page, 5)
    version.get_by_role("link", name="Clear Version").click()
    expect_count(page, 8)


def test_any_metadata_key_becomes_a_facet_and_a_column(page, url):
    page.goto(f"{url}/traces?filter=app_version+%3D+'2.2.0-rc1'")
    expect_count(page, 3)
    fields(page).get_by_label("Add a field to the sidebar").select_option("metadata.tenant")
    tenant = fields(page).get_by_role("region", name="metadata.tenant")
    expect(tenant.get_by_role("link", name="t 1").first).to_contain_text("3")
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Add a column").select_option("metadata.tenant")
    page.get_by_role("button", name="Move tenant to the left").click()
    page.keyboard.press("Escape")
    titles = page.get_by_role("columnheader")
    expect(titles.nth(-2)).to_contain_text("tenant")
    page.get_by_role("separator", name="Width of Name").focus()
    before = titles.nth(2).bounding_box()["width"]
    page.keyboard.press("ArrowRight")
    expect(titles.nth(2)).to_have_css("width", f"{round(before + 16)}px")
    page.reload()
    expect(titles.nth(-2)).to_contain_text("tenant")
    expect(titles.nth(2)).to_have_css("width", f"{round(before + 16)}px")


def test_a_drag_over_the_histogram_narrows_the_time(page, url):
    page.goto(f"{url}/traces?time=15m&split=app_version")
    chart = page.get_by_role("region", name="Traces over time")
    expect(chart.get_by_text("2.0.0")).to_be_visible()
    expect_count(page, TOTAL)
    plot = chart.get_by_role("group").bounding_box()
    y = plot["y"] + plot["height"] / 2
    page.mouse.move(plot["x"] + plot["width"] * 0.9, y)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] - 2, y, steps=4)
    page.mouse.up()
    expect(page.get_by_role("link", name="Back to all time")).to_be_visible()
    assert "since=" in page.url and "until=" in page.url
    page.go_back()
    expect(page.get_by_role("button", name="Last 15 minutes")).to_be_visible()
    page.get_by_role("button", name="Last 15 minutes").click()
    page.get_by_role("link", name="Last 24 hours").click()
    assert "time=24h" in page.url
    expect_count(page, TOTAL)


def test_the_live_tail_shows_a_new_trace_and_waits_while_rows_are_read(page, url):
    page.goto(f"{url}/traces?live=1&filter=environment+%3D+'live-lab'")
    expect(page.get_by_text(re.compile(r"Live · \d"))).to_be_visible()
    page.mouse.move(2, 2)
    record(url, [("first live", "live-lab", "9.0.0", "s")])
    expect(rows(page)).to_have_count(1)
    # The histogram moves the rows down when it comes.
    expect(page.get_by_role("list", name="Colours")).to_contain_text("1")
    rows(page).first.hover()
    record(url, [("second live", "live-lab", "9.0.0", "s")])
    pill = page.get_by_role("button", name="1 new")
    expect(pill).to_be_visible()
    expect(rows(page)).to_have_count(1)
    pill.click()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("second live")


def export(page, bar, form: str) -> list[str]:
    """Return the lines of the file that the selected traces are saved to."""
    bar.get_by_role("button", name="Export").click()
    with page.expect_download() as started:
        page.get_by_role("dialog").get_by_role("button", name=form).click()
    return Path(started.value.path()).read_text(encoding="utf-8").splitlines()


def test_selected_traces_are_tagged_exported_and_deleted(page, url):
    calls = [(f"bulk {number} fail", "bulk-lab", "9.1.0", "s") for number in range(3)]
    record(url, calls)
    page.goto(f"{url}/traces?filter=environment+%3D+'bulk-lab'")
    expect_count(page, 3)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    bar = page.get_by_role("region", name="Selected traces")
    expect(bar).to_contain_text("2 selected")
    expect(bar.get_by_role("link", name="Compare")).to_be_visible()
    bar.get_by_role("button", name="Tag").click()
    page.get_by_role("textbox", name="Key").fill("reviewed/by me")
    page.get_by_role("textbox", name="Value").fill("yes")
    page.get_by_role("button", name="Set the tag").click()
    expect(bar.get_by_role("status")).to_have_text("Tagged 2 traces: reviewed/by me = yes")
    tagged = httpx.get(
        f"{url}/api/v1/traces", params={"filter": "tags.`reviewed/by me` = 'yes'"}
    ).json()
    assert len(tagged["traces"]) == 2
    exported = [json.loads(line)["info"] for line in export(page, bar, "JSON lines")]
    assert [info["environment"] for info in exported] == ["bulk-lab"] * 2
    sent = [json.loads(line)["resourceSpans"][0] for line in export(page, bar, "OTLP")]
    ids = {one["scopeSpans"][0]["spans"][0]["traceId"] for one in sent}
    assert ids == {info["trace_id"].removeprefix("tr-") for info in exported}
    bar.get_by_role("button", name="Delete…").click()
    dialog = page.get_by_role("dialog")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect_count(page, 3)
    bar.get_by_role("button", name="Delete…").click()
    dialog.get_by_role("button", name="Delete 2 traces").click()
    expect(bar.get_by_role("status")).to_have_text("Deleted 2 traces")
    expect_count(page, 1)


def test_views_sessions_the_palette_and_code_lead_to_the_same_traces(page, url):
    page.goto(f"{url}/traces?filter=app_version+%3D+'2.1.0'+AND+environment+%3D+'staging'")
    expect_count(page, 5)
    page.get_by_role("link", name="By session").click()
    expect(page.get_by_role("link", name="session-1")).to_be_visible()
    expect(page.get_by_text("3 traces listed")).to_be_visible()
    page.get_by_role("button", name="Views").click()
    page.get_by_label("Save what is shown now as").fill("Staging by session")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Copy as").click()
    shell = page.get_by_role("region", name="curl").locator("pre").text_content()
    done = subprocess.run(["sh", "-c", shell], capture_output=True, check=True, timeout=30)
    assert len(json.loads(done.stdout)["traces"]) == 5
    page.keyboard.press("Escape")
    page.goto(f"{url}/traces")
    expect(rows(page).first).to_be_visible()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Command palette")
    palette.get_by_role("combobox").fill("staging session")
    expect(palette.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect_count(page, 5)
    assert "group=session" in page.url


def test_a_draft_survives_a_visit_elsewhere_and_stays_among_the_recent(page, url):
    page.goto(f"{url}/traces")
    expect(rows(page).first).to_be_visible()
    editor(page).click()
    page.keyboard.type("user = 'user-7")
    page.keyboard.press("Escape")
    rows(page).first.get_by_role("link").click()
    expect(page.get_by_role("tree")).to_be_visible()
    page.go_back()
    expect(editor(page)).to_have_text("user = 'user-7")
    fields(page).get_by_role("link", name="staging").first.click()
    expect(editor(page)).to_have_text("environment = 'staging'")
    page.get_by_role("button", name="Clear the filter").click()
    editor(page).click()
    expect(suggestions(page).filter(has_text="user = 'user-7")).to_be_visible()


def test_hostile_names_and_metadata_are_shown_as_text(page, url):
    record(url, [(HOSTILE, HOSTILE, HOSTILE, HOSTILE)])
    page.goto(f"{url}/traces?filter=user+%3D+'user-7'&split=environment&group=session")
    expect(fields(page).get_by_text("<img src=x").first).to_be_visible()
    expect(page.get_by_role("table").get_by_text("<img src=x").first).to_be_visible()
    editor(page).fill("environment = ")
    expect(suggestions(page).filter(has_text="production")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, url, scheme):
    axe = install_ui_packages() / "node_modules" / "axe-core" / "axe.min.js"
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for path, opened in (
        ("/traces", None),
        ("/traces?group=session&live=1&time=24h", "Time"),
        ("/traces", "Columns"),
        ("/traces", "Go to…"),
    ):
        page.goto(url + path)
        expect(rows(page).first).to_be_visible()
        editor(page).wait_for()
        expect(fields(page).get_by_text("production")).to_be_visible()
        if opened is not None:
            page.get_by_role(
                "button", name=re.compile(opened if opened != "Time" else "Last")
            ).click()
            expect(page.get_by_role("dialog")).to_be_visible()
        page.evaluate(axe.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
        serious = [
            (one["id"], [node["html"][:160] for node in one["nodes"]][:3])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], f"{path} {opened}"
