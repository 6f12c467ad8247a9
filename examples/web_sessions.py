"""Sessions and users of a FastAPI service from its headers, users as pseudonyms.

    uv run --with fastapi --with httpx python examples/web_sessions.py

One line does it: the handler reads no header. The requests here are made within the process.
"""

import asyncio

import httpx
from fastapi import FastAPI

import whence
from whence.testing import capture_spans

KEY = "a secret that all services share"

app = whence.web.instrument(FastAPI(), headers={"X-Tenant": "tenant"}, user_key=KEY)


@app.get("/chat")
@whence.trace
async def chat(message: str) -> str:
    return f"Processed message: '{message}'"


async def send_requests() -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat") as client:
        for user in ("ada", "ben"):
            headers = {"X-Session-ID": f"{user}-1", "X-User-ID": user, "X-Tenant": "acme"}
            await client.get("/chat", params={"message": "hello"}, headers=headers)


if __name__ == "__main__":
    with capture_spans() as spans:  # without this line they go to the server, or to ./.whence
        asyncio.run(send_requests())
    for span in spans.items:
        print(span.trace_metadata)
    assert span.trace_metadata["mlflow.trace.user"] == whence.web.pseudonymise_user("ben", KEY)
