"""`whence webhooks`: where the server sends what it finds."""

from __future__ import annotations

import time
from enum import Enum
from typing import Annotated

import typer

from whence.cli.frame import FAILED, Url, command, group

webhooks = group("webhooks", "list", "Send findings of the server to programs and to people.")

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK_ID", help="wh-…")]
ANSWER_WAIT_S = 15.0


class Form(str, Enum):
    """The forms of messages."""

    JSON = "json"
    SLACK = "slack"


@command("add", of=webhooks)
def add(
    address: Annotated[
        str, typer.Argument(metavar="WEBHOOK_URL", help="https://host/path of the receiver.")
    ],
    form: Annotated[Form, typer.Option(help="json, or slack for an incoming webhook.")] = Form.JSON,
    environment: Annotated[
        str | None, typer.Option(help="Only findings of this one.", show_default=False)
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="WHENCE_WEBHOOK_SECRET",
            help="What signs the messages. Default: a new one, printed now and never again.",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
) -> None:
    """Add a webhook. Messages are signed as Standard Webhooks says."""
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import add_webhook

    with Client(url) as client:
        made = add_webhook(client, address, form=form.value, environment=environment, secret=secret)
    typer.echo(f"added {made.webhook.webhook_id}")
    if not secret:
        typer.echo(f"its secret, shown this once: {made.secret}")


@command("list", of=webhooks)
def show(
    form: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    url: Url = None,
) -> None:
    """List webhooks with their last delivery. Secrets, and what a URL may hide, are not shown."""
    from rich.text import Text

    from whence.cli.results import new_table, print_json, print_table
    from whence.cli.terminal_text import escape_line
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import read_webhooks

    with Client(url) as client:
        found = read_webhooks(client)
    if form == "json":
        print_json(found)
        return
    table = new_table()
    for column in ("webhook", "url", "form", "environment", "last delivery"):
        table.add_column(Text(column))
    for one in found:
        last = "-" if one.last is None else f"{one.last.event}: {one.last.state}"
        if one.last is not None and one.last.error:
            last += f" ({one.last.error})"
        cells = (one.webhook_id, one.url, one.form, one.environment or "all", last)
        table.add_row(*(Text(escape_line(cell)) for cell in cells))
    print_table(table)


@command("test", of=webhooks)
def send(webhook_id: WebhookId, url: Url = None) -> None:
    """Send a test message, and say what the receiver answered; exits with 1 where it did not."""
    from whence.cli.terminal_text import escape_line
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import read_deliveries, send_test

    with Client(url) as client:
        sent = send_test(client, webhook_id)
        deadline = time.monotonic() + ANSWER_WAIT_S
        while sent.attempts == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
            same = [
                one
                for one in read_deliveries(client, webhook_id)
                if one.delivery_id == sent.delivery_id
            ]
            sent = same[0] if same else sent
    if sent.state == "delivered":
        typer.echo(f"{sent.delivery_id} was delivered: {sent.status}")
        return
    reason = sent.error or f"no answer within {ANSWER_WAIT_S:.0f} s"
    typer.echo(f"whence: {sent.delivery_id} was not delivered: {escape_line(reason)}", err=True)
    raise typer.Exit(FAILED)


@command("remove", of=webhooks)
def remove(webhook_id: WebhookId, url: Url = None) -> None:
    """Remove a webhook, and its secret; what is still to be sent to it is not."""
    from whence.sdk.reading.client import Client
    from whence.sdk.reading.findings import remove_webhook

    with Client(url) as client:
        remove_webhook(client, webhook_id)
