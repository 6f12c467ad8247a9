"""How soon the pages can be used, and whether they stay smooth, in real Chromium.

    python -m bench.browser [--quick] [--rounds 5] [--work FOLDER] [--sizes 10000,1000000]

A real `whence server` runs on a copy of a store that `bench.corpus` filled. Every page is opened in
a new browser profile, so nothing is cached. *Smooth* is read from a recorded performance trace: the
longest task of the page's main thread while it is scrolled, by the clock, which is what users see,
and the most CPU time that any of them took, which a busy machine changes less.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from bench import corpus
from bench.alone import run_alone
from bench.harness import Figure, Options, Scenario
from bench.ingest import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    Measure = Callable[[], dict[str, float]]

CHROMIUM = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
VIEWPORT = {"width": 1440, "height": 860}
ROWS = 10_000
SPANS = 10_000
SPANS_A_REQUEST = 2_500
CHILDREN = 3
STEP_PX = 1_600
MS, US_PER_MS = 1_000_000, 1_000
CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"]
USABLE = "Traces tab can be used"
ROWS_TASK = "longest task while 10,000 rows scroll past"
SPANS_TASK = "longest task while 10,000 spans scroll past"
ROWS_CPU = "most CPU time of a task while 10,000 rows scroll past"
SPANS_CPU = "most CPU time of a task while 10,000 spans scroll past"
AT_MOST_MS = {USABLE: 1000.0, ROWS_TASK: 50.0, SPANS_TASK: 50.0}
MILLION = 1_000_000


def run(options: Options) -> Iterator[Figure]:
    """Open and scroll pages of a server with stores of each size; yield milliseconds."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM
        )
        for size in options.sizes:
            with tempfile.TemporaryDirectory(dir=options.work, ignore_cleanup_errors=True) as name:
                store = Path(name) / "store"
                shutil.copytree(corpus.prepared(options.work, size), store, symlinks=True)
                with serving(store) as server:
                    for measure in list_measures(browser, server.url, size, options):
                        yield from repeat(measure, size, options)
        browser.close()


def list_measures(browser: Browser, url: str, size: int, options: Options) -> list[Measure]:
    """Return what is measured; each call gives one round of one or more figures."""
    rows = 200 if options.quick else min(ROWS, size)
    spans = 300 if options.quick else SPANS
    trace_id = send_wide_trace(url, spans)
    return [
        lambda: time_list(browser, url),
        lambda: scroll_list(browser, url, rows, options.work),
        lambda: scroll_trace(browser, url, trace_id, spans, options.work),
    ]


def repeat(measure: Measure, size: int, options: Options) -> Iterator[Figure]:
    """Measure in every round; bounds hold from a million traces on."""
    if not options.quick:
        measure()  # the engine's caches, not the browser's
    rounds = [measure() for _ in range(options.rounds)]
    for name in rounds[0]:
        yield Figure(
            name=name,
            subject="whence",
            unit="ms",
            values=[one[name] for one in rounds],
            at_most=AT_MOST_MS.get(name) if size >= MILLION else None,
            size=size,
        )


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """Open a page in a profile of its own."""
    context = browser.new_context(viewport=VIEWPORT, reduced_motion="reduce")
    try:
        yield context.new_page()
    finally:
        context.close()


def time_list(browser: Browser, url: str) -> dict[str, float]:
    """Return the ms from the click to rows that are there and a filter that takes keys."""
    with new_page(browser) as page:
        started = time.perf_counter()
        page.goto(f"{url}/traces", wait_until="commit")
        page.locator("[role=row] [role=cell]").first.wait_for()
        page.keyboard.press("/")
        page.locator("[aria-label=Filter]:focus").wait_for()
        return {USABLE: (time.perf_counter() - started) * 1000}


def scroll_list(browser: Browser, url: str, rows: int, work: Path) -> dict[str, float]:
    """Return the longest tasks, in ms, while so many rows are loaded and scrolled past."""
    with new_page(browser) as page:
        page.goto(f"{url}/traces")
        page.locator("[role=row] [role=cell]").first.wait_for()
        with recording(browser, page, work) as found:
            scroll(page, "[role=table]", rows)
        return {ROWS_TASK: found["wall_ms"], ROWS_CPU: found["cpu_ms"]}


def scroll_trace(
    browser: Browser, url: str, trace_id: str, spans: int, work: Path
) -> dict[str, float]:
    """Return the longest tasks, in ms, while the spans of a trace are scrolled past."""
    with new_page(browser) as page:
        page.goto(f"{url}/traces/{trace_id}")
        page.get_by_role("treeitem").first.wait_for()
        page.wait_for_timeout(500)  # what opening the page still does is not scrolling
        with recording(browser, page, work) as found:
            scroll(page, "[role=tree]", spans)
        return {SPANS_TASK: found["wall_ms"], SPANS_CPU: found["cpu_ms"]}


def scroll(page: Page, inner: str, items: int) -> None:
    """Turn the wheel over the list until its last item, of a known number, has come by."""
    box = page.locator(inner).bounding_box()
    if box is None:
        raise RuntimeError(f"{inner} is not shown")
    page.mouse.move(box["x"] + box["width"] / 2, min(box["y"] + 200, VIEWPORT["height"] - 100))
    reached = f"""() => {{
        const rows = [...document.querySelectorAll("[aria-rowindex]")];
        const last = Math.max(0, ...rows.map((row) => Number(row.ariaRowIndex)));
        let box = document.querySelector("{inner}");
        while (box && box.scrollHeight <= box.clientHeight + 1) box = box.parentElement;
        return [last, !box || box.scrollTop + box.clientHeight >= box.scrollHeight - 2];
    }}"""
    deadline = time.monotonic() + 120
    resting = 0
    while time.monotonic() < deadline:
        page.mouse.wheel(0, STEP_PX)
        page.evaluate("new Promise((next) => requestAnimationFrame(() => setTimeout(next)))")
        last, at_end = page.evaluate(reached)
        resting = resting + 1 if at_end else 0
        if last >= items or resting > 100:
            return
    raise RuntimeError(f"{items} items did not come by in two minutes, only {last}")


@contextmanager
def recording(browser: Browser, page: Page, work: Path) -> Iterator[dict[str, float]]:
    """Record a performance trace; `wall_ms` and `cpu_ms` of tasks are set when it ends."""
    found: dict[str, float] = {}
    path = work / f"performance-{os.getpid()}.json"
    browser.start_tracing(page=page, path=str(path), categories=CATEGORIES)
    yield found
    browser.stop_tracing()
    found.update(read_longest_tasks(json.loads(path.read_bytes())["traceEvents"]))
    path.unlink()


def read_longest_tasks(events: list[dict[str, Any]]) -> dict[str, float]:
    """Return the ms of the longest task on the main thread of any page, and the most CPU of one."""
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"].get("name") == "CrRendererMain"
    }
    tasks = [
        event
        for event in events
        if event.get("name") in ("RunTask", "ThreadControllerImpl::RunTask")
        and (event["pid"], event["tid"]) in main
        and "dur" in event
    ]
    if not tasks:
        raise RuntimeError("the performance trace holds no task of a page")
    return {
        "wall_ms": max(event["dur"] for event in tasks) / US_PER_MS,
        "cpu_ms": max(event.get("tdur", 0) for event in tasks) / US_PER_MS,
    }


def send_wide_trace(url: str, count: int) -> str:
    """Store one trace of so many spans, and return its id."""
    trace_id, now = os.urandom(16).hex(), time.time_ns() - 60_000 * MS
    spans = [make_span(trace_id, number, now, count) for number in range(1, count + 1)]
    for start in range(0, count, SPANS_A_REQUEST):
        scope = {"spans": spans[start : start + SPANS_A_REQUEST]}
        body = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scope]}]}
        request = urllib.request.Request(
            f"{url}/v1/traces",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    return f"tr-{trace_id}"


def make_span(trace_id: str, number: int, start_ns: int, count: int) -> dict[str, Any]:
    """Return a span of a tree in which each has three children."""
    parent = (number + CHILDREN - 2) // CHILDREN
    return {
        "traceId": trace_id,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if number > 1 else "",
        "name": "agent" if number == 1 else f"step {number}",
        "startTimeUnixNano": str(start_ns + number * MS),
        "endTimeUnixNano": str(start_ns + (count + 1 if number == 1 else number + 3) * MS),
        "attributes": [],
    }


SCENARIO = Scenario(
    name="browser",
    title="The web pages",
    text=(
        "Debian's Chromium without a graphics card, beside the server on the same two cores. The "
        "Traces tab can be used when its rows are there and the filter takes keys, from an empty "
        "cache. Longest tasks are of the page's main thread, in a recorded performance trace, "
        "while the wheel scrolls through 10,000 rows, loaded in hundreds on the way, and through "
        "a trace of 10,000 spans; the CPU time is what the busiest of them computed, without what "
        "it waited for a core."
    ),
    run=run,
)

if __name__ == "__main__":
    run_alone(SCENARIO, rounds=5)
