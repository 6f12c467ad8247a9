"""Two traces side by side in the browser: from the list to the words that changed."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect


def rows(page):
    return page.get_by_role("tree", name="Spans of both traces").get_by_role("treeitem")


def differences(page):
    return page.get_by_role("complementary", name="Differences")


def test_two_selected_traces_are_compared_by_one_key(page, agent):
    url, old, new = agent
    page.goto(f"{url}/traces?order_by=timestamp_ms+ASC")
    expect(page.get_by_role("table").get_by_role("link", name="answer_ticket")).to_have_count(2)
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("c")
    expect(rows(page).first).to_be_visible()
    assert page.url == f"{url}/diff/{old}...{new}"
    page.go_back()
    expect(page.get_by_role("table")).to_be_visible()


def test_the_merged_tree_says_what_only_one_has_and_what_changed(page, agent):
    url, old, new = agent
    page.goto(f"{url}/diff/{old}...{new}")
    expect(rows(page)).to_have_count(8)
    expect(rows(page).filter(has_text="rerank")).to_contain_text("only in B")
    expect(rows(page).filter(has_text="cache_lookup")).to_contain_text("only in A")
    gather = rows(page).filter(has_text="gather")
    expect(gather).to_contain_text("A ")
    expect(gather).to_contain_text("+")
    # Both bars lie on one axis: they are as long, to each other, as the traces took.
    found = httpx.get(f"{url}/api/v1/traces/{old}/diff/{new}").json()["spans"][0]
    bars = [rows(page).first.locator(f"[data-side='{side}']").first for side in "AB"]
    one, other = (bar.bounding_box()["width"] for bar in bars)
    expected = found["baseline"]["duration_ms"] / found["candidate"]["duration_ms"]
    assert one / other == pytest.approx(expected, rel=0.05)
    values = differences(page).get_by_role("table", name="Metadata")
    expect(values.get_by_role("row").filter(has_text="app_version")).to_contain_text("2.1.0")
    values.get_by_role("link", name="2.0.0").click()
    expect(page.locator(".cm-content")).to_have_text("app_version = '2.0.0'")


def test_a_span_shows_the_words_that_changed(page, agent, take_picture):
    url, old, new = agent
    page.goto(f"{url}/diff/{old}...{new}")
    rows(page).filter(has_text="chat").get_by_role("link").click()
    messages = differences(page).get_by_role("region", name="Messages")
    expect(messages.locator("del")).to_have_text("Friday")
    expect(messages.locator("ins").last).to_have_text("Thursday with Norpost")
    expect(messages.locator("ins").first).to_have_text(" Name the carrier.")
    expect(differences(page).get_by_role("region", name="Attributes")).to_contain_text("model-")
    assert "path=answer_ticket%2Fchat" in page.url
    page.reload()
    expect(messages.locator("del")).to_have_text("Friday")
    take_picture("diff")
    messages.get_by_role("button", name="the same").click()
    expect(messages).to_contain_text("look_up_order(")
    page.keyboard.press("p")
    page.keyboard.press("p")
    expect(rows(page).and_(page.locator("[aria-selected='true']"))).to_contain_text("rerank")
    page.keyboard.press("s")
    expect(rows(page).filter(has_text="rerank")).to_contain_text("only in A")
    page.keyboard.press("o")
    expect(rows(page)).to_have_count(5)
    page.get_by_role("link", name="Show all spans").click()
    expect(rows(page)).to_have_count(8)
    differences(page).get_by_role("link", name="open").first.click()
    expect(page.get_by_role("heading", level=2, name="rerank")).to_be_visible()


def test_a_trace_that_is_not_there_is_named(page, agent):
    url, old, _ = agent
    page.goto(f"{url}/diff/{old}...tr-{'0' * 32}")
    expect(page.get_by_text("There is no such trace")).to_be_visible()
    expect(page.get_by_text(f"tr-{'0' * 32}")).to_be_visible()
    assert all("404" in problem for problem in page.problems)
    page.problems.clear()
