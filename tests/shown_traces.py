"""Traces to look at in the browser, recorded by the SDK: an agent in a repository, at two versions."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from git_repositories import git, make_repository
from serving import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> \u202e 😀"
# One pixel, so that a message holds a picture.
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAA"
    "AABJRU5ErkJggg=="
)
PROGRAM = """\
import json, sys, time
import whence

VERSION, PIXEL = sys.argv[1:]
IS_NEW = VERSION == "2.1.0"
whence.configure(app_version=VERSION, environment="production")
TOOLS = [{"type": "function", "function": {
    "name": "look_up_order", "description": "Find an order by its number",
    "parameters": {"type": "object", "properties": {"order_id": {"type": "string"}}}}}]
SYSTEM = "You are a support agent of a shop. Answer in one sentence." + (
    " Name the carrier." if IS_NEW else "")
CALL = {"id": "call_1", "type": "function", "function": {
    "name": "look_up_order", "arguments": json.dumps({"order_id": "48213"})}}
ANSWER = ("It left our warehouse **this morning** and arrives on Thursday with Norpost."
          if IS_NEW else "It left our warehouse **this morning** and arrives on Friday.")
MESSAGES = [
    {"role": "system", "content": SYSTEM},
    {"role": "user", "content": [
        {"type": "text", "text": "Where is my order 48213?"},
        {"type": "image_url", "image_url": {"url": PIXEL}}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1",
     "content": json.dumps({"state": "shipped", "carrier": "Norpost"})},
]

@whence.trace(span_type="RETRIEVER")
def retrieve(question):
    time.sleep(0.004)
    return [{"id": f"doc-{n}", "score": 1 - n / 9, "text": "Parcels leave in the morning."} for n in range(8)]

@whence.trace(span_type="RERANKER")
def rerank(documents):
    time.sleep(0.012)
    return documents[::-1]

@whence.trace(span_type="TOOL")
def look_up_order(order_id, attempt):
    if attempt == 1:
        raise TimeoutError(f"the order service gave no answer for {order_id}")
    time.sleep(0.003)
    return {"state": "shipped", "carrier": "Norpost", "raw": json.dumps({"weight_kg": 2})}

@whence.trace(span_type="CHAIN")
def gather(question):
    documents = retrieve(question)
    return rerank(documents) if IS_NEW else documents

@whence.trace(span_type="AGENT")
def answer_ticket(question):
    whence.update_current_trace(
        metadata={"tenant": "t 1"}, tags={"team": "support"}, session_id="session-1", user="ann")
    gather(question)
    for attempt in (1, 2):
        try:
            look_up_order("48213", attempt)
        except TimeoutError:
            pass
    if not IS_NEW:
        with whence.start_span("cache_lookup") as cache:
            cache.set_attribute("cache.hit", False)
    with whence.start_span("chat", span_type="CHAT_MODEL") as chat:
        time.sleep(0.01)
        chat.set_attributes({"gen_ai.request.model": "model-b" if IS_NEW else "model-a",
                             "gen_ai.usage.input_tokens": 91, "gen_ai.usage.output_tokens": 17})
        chat.set_inputs({"messages": MESSAGES, "tools": TOOLS})
        chat.set_outputs({"choices": [{"message": {
            "role": "assistant", "content": ANSWER, "reasoning_content": "The tool knows."}}]})
        chat.add_event("first token", {"tokens": 1})
    return ANSWER

answer_ticket("Where is my order 48213?")
whence.flush()
print(json.dumps(whence.get_last_active_trace_id()))
"""


def make_agent(folder: Path) -> Path:
    """Make the agent's repository, with a remote that has pages; return it."""
    make_repository(folder, commits=0)
    git(folder, "remote", "add", "origin", "git@git.example.com:shop/agent.git")
    (folder / "agent.py").write_text(PROGRAM, encoding="utf-8")
    git(folder, "add", "agent.py")
    git(folder, "commit", "-m", "Answer tickets")
    (folder / "agent.py").write_text(f"{PROGRAM}# not committed\n", encoding="utf-8")
    return folder


def record_agent(folder: Path, url: str, app_version: str) -> str:
    """Run the agent at a version; return its trace's id."""
    command = [sys.executable, str(folder / "agent.py"), app_version, PIXEL]
    env = clean_environment(WHENCE_URL=url)
    done = subprocess.run(
        command, cwd=folder, env=env, check=True, timeout=60, stdout=subprocess.PIPE
    )
    return str(json.loads(done.stdout.splitlines()[-1]))
