"""Findings of the server, and the webhooks that they are sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from whence.entities.finding import Finding, FindingList
from whence.entities.webhook import Delivery, DeliveryList, NewWebhook, Webhook, WebhookList
from whence.errors import InvalidInputError
from whence.sdk.reading.client import Client, current_client
from whence.sdk.reading.http import path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_MAX_RESULTS = 100


def search_findings(
    environment: str | None = None,
    *,
    version: str | None = None,
    state: str | None = None,
    muted: bool | None = None,
    max_results: int = DEFAULT_MAX_RESULTS,
    locations: Sequence[str] | None = None,
) -> list[Finding]:
    """Return regressions that the server found by itself, those last seen first.

    `version` is the name of the version that is worse, `state` `"open"`, `"resolved"` or
    `"ended"`, by default all. `muted` chooses those that are, or are not. `locations` are
    experiment ids, by default all. What a finding rests on comes with `get_finding`.

    >>> import whence
    >>> whence.search_findings("the moon", state="open")
    []
    """
    if isinstance(locations, str):
        raise InvalidInputError("`locations` is a list of experiment ids.")
    return read_findings(
        current_client(),
        environment=environment,
        version=version,
        state=state,
        muted=muted,
        max_results=max_results,
        experiment_ids=[str(one) for one in locations or ()],
    )


def get_finding(finding_id: str) -> Finding:
    """Return a finding with its evidence and its history. Raises `NotFoundError`.

    >>> import whence
    >>> whence.get_finding("fi-0")
    Traceback (most recent call last):
    whence.errors.NotFoundError: Finding with ID 'fi-0' not found.
    """
    return read_finding(current_client(), finding_id)


def read_findings(
    client: Client,
    *,
    environment: str | None = None,
    version: str | None = None,
    state: str | None = None,
    muted: bool | None = None,
    max_results: int = DEFAULT_MAX_RESULTS,
    experiment_ids: Sequence[str] = (),
) -> list[Finding]:
    """Return what a server answers about findings."""
    query = {
        "environment": environment,
        "version": version,
        "state": state,
        "muted": None if muted is None else str(muted).lower(),
        "max_findings": max_results,
        "experiment_id": list(experiment_ids) or None,
    }
    return msgspec.convert(client.call("GET", "/findings", query=query), FindingList).findings


def read_finding(client: Client, finding_id: str) -> Finding:
    """Return what a server answers about one."""
    if not isinstance(finding_id, str) or not finding_id:
        raise InvalidInputError(f"a finding's id is a non-empty string, not {finding_id!r}")
    return msgspec.convert(client.call("GET", "/findings" + path_of(finding_id)), Finding)


def mark_finding(
    client: Client,
    finding_id: str,
    *,
    acknowledged: bool | None = None,
    muted: bool | None = None,
    note: str | None = None,
) -> Finding:
    """Acknowledge or mute a finding, or note something; None leaves as it is."""
    body = {"acknowledged": acknowledged, "muted": muted, "note": note}
    answer = client.call("PATCH", "/findings" + path_of(finding_id), body=body)
    return msgspec.convert(answer, Finding)


def read_webhooks(client: Client) -> list[Webhook]:
    """Return the webhooks of a server."""
    return msgspec.convert(client.call("GET", "/webhooks"), WebhookList).webhooks


def add_webhook(
    client: Client, url: str, *, form: str, environment: str | None, secret: str | None
) -> NewWebhook:
    """Add a webhook; the answer is the only one that holds its secret."""
    body = {"url": url, "form": form, "environment": environment, "secret": secret}
    return msgspec.convert(client.call("POST", "/webhooks", body=body), NewWebhook)


def remove_webhook(client: Client, webhook_id: str) -> None:
    """Remove a webhook. Raises `NotFoundError`."""
    client.call("DELETE", "/webhooks" + path_of(webhook_id))


def send_test(client: Client, webhook_id: str) -> Delivery:
    """Have a test message sent; it is on its way."""
    answer = client.call("POST", "/webhooks" + path_of(webhook_id, "test"))
    return msgspec.convert(answer, Delivery)


def read_deliveries(client: Client, webhook_id: str) -> list[Delivery]:
    """Return the newest deliveries of a webhook."""
    answer = client.call("GET", "/webhooks" + path_of(webhook_id, "deliveries"))
    return msgspec.convert(answer, DeliveryList).deliveries
