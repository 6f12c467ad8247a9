"""Webhooks: added, listed, tested, signed, retried, kept over a crash, and kept off private places."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from serving import clean_environment, serving
from webhook_receiver import receiving
from whence.errors import InvalidInputError, UnavailableError
from whence.server.outbox import Outbox
from whence.server.webhook_post import NotSentError, check_url, post, shorten_url, sign
from whence.store.watchers import Leadership
from whence.store.webhooks import (
    WebhookRow,
    read_deliveries,
    remove_webhook,
    write_deliveries,
    write_webhook,
)

PRIVATE = {"WHENCE_WEBHOOK_PRIVATE": "on", "WHENCE_WATCH": "off"}


def api(running):
    return httpx.Client(base_url=running.url + "/api/v1", timeout=30)


def deliveries(client, webhook_id):
    return client.get(f"/webhooks/{webhook_id}/deliveries").json()["deliveries"]


def test_what_fails_is_sent_again_and_a_killed_server_sends_it_after_its_restart(tmp_path):
    store = tmp_path / "store"
    with receiving(500, 503) as receiver:
        with serving(store, **PRIVATE) as running, api(running) as client:
            made = client.post("/webhooks", json={"url": receiver.url}).json()
            webhook_id = made["webhook"]["webhook_id"]
            sent = client.post(f"/webhooks/{webhook_id}/test").json()
            assert (sent["event"], sent["state"]) == ("webhook.test", "pending")
            receiver.wait(lambda received: len(received) == 2)
            running.process.send_signal(signal.SIGKILL)
            running.process.wait(10)
        with serving(store, **PRIVATE) as running, api(running) as client:
            first, second, third = receiver.wait(lambda received: len(received) == 3)
            assert first.id == second.id == third.id == sent["delivery_id"]
            assert first.body == second.body == third.body
            assert all(one.is_signed_by(made["secret"]) for one in (first, second, third))
            while (last := deliveries(client, webhook_id)[0])["state"] == "pending":
                time.sleep(0.05)
            assert (last["state"], last["status"], last["error"]) == ("delivered", 204, None)
            assert last["attempts"] >= 2  # that of the killed server may not have been written


@pytest.fixture(scope="module")
def hooked(tmp_path_factory):
    store = tmp_path_factory.mktemp("hooked") / "store"
    with serving(store, **PRIVATE) as running, api(running) as client:
        yield client


def test_slack_gets_its_form_and_secrets_of_ones_own_are_taken(hooked):
    with receiving() as receiver:
        secret = "whsec_" + "c2VjcmV0IG9mIG91cnMsIGxvbmcgZW5vdWdo"
        asked = {"url": receiver.url, "form": "slack", "environment": "prod", "secret": secret}
        made = hooked.post("/webhooks", json=asked).json()
        assert made["secret"] == secret
        assert made["webhook"]["environment"] == "production"
        hooked.post(f"/webhooks/{made['webhook']['webhook_id']}/test")
        (message,) = receiver.wait(bool)
        assert message.json == {"text": "Whence: this is a test of the webhook."}
        assert message.is_signed_by(secret)


def test_a_removed_webhook_gets_nothing_and_its_secret_is_shown_nowhere(hooked):
    with receiving() as receiver:
        made = hooked.post("/webhooks", json={"url": receiver.url}).json()
        webhook_id = made["webhook"]["webhook_id"]
        listed = hooked.get("/webhooks").text
        assert webhook_id in listed
        assert made["secret"] not in listed and "secret-part" not in listed
        assert hooked.delete(f"/webhooks/{webhook_id}").status_code == 200
        assert webhook_id not in hooked.get("/webhooks").text
        assert hooked.post(f"/webhooks/{webhook_id}/test").status_code == 404
        assert hooked.delete(f"/webhooks/{webhook_id}").status_code == 404
        assert receiver.received == []


def test_the_command_line_adds_lists_tests_and_removes(hooked):
    url = str(hooked.base_url).removesuffix("/api/v1/")

    def run(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "whence", "webhooks", *words, "--url", url],
            env=clean_environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    with receiving(204, 500) as receiver:
        added = run("add", receiver.url, "--environment", "staging")
        webhook_id = added.split()[1]
        secret = added.split()[-1]
        assert "was delivered: 204" in run("test", webhook_id)
        assert receiver.received[0].is_signed_by(secret)
        assert "the receiver answered 500" in run("test", webhook_id, code=1)
        listed = run("list")
        assert webhook_id in listed and "staging" in listed and secret not in listed
        run("remove", webhook_id)
        assert webhook_id not in run("list", "--format", "json")
    assert "WHENCE_WEBHOOK_PRIVATE" not in run("add", "ftp://example.org/", code=2)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"url": "ftp://example.org/x"}, "https://host/path"),
        ({"url": "https://ada:pw@example.org/x"}, "no user"),
        ({"url": "https://example.org/a b"}, "without spaces"),
        ({"url": "https://example.org/x", "form": "teams"}, "json or slack"),
        ({"url": "https://example.org/x", "secret": "short"}, "at least 16 bytes"),
        ({"url": "https://example.org/x", "secret": "whsec_?"}, "base64"),
        ({"url": "https://example.org/x", "colour": "red"}, "colour"),
    ],
)
def test_what_can_not_be_a_webhook_is_refused(hooked, body, message):
    answer = hooked.post("/webhooks", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "db.localhost",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::1]",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "[64:ff9b::a00:1]",
        "[2002:a00:1::1]",
        "[::10.0.0.1]",
        "[fec0::1]",
    ],
)
def test_private_addresses_are_refused_unless_that_is_set(host):
    with pytest.raises(InvalidInputError, match="WHENCE_WEBHOOK_PRIVATE"):
        check_url(f"https://{host}/hook", private=False)
    assert check_url(f"https://{host}:8443/hook", private=True).port == 8443


def test_a_name_that_means_a_private_address_is_refused_when_it_is_used(monkeypatch):
    """A public name may be given another address after it was added."""

    def resolve(host, port, **_):
        assert host == "hooks.example.org"
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(NotSentError, match=r"hooks.example.org means an address of this machine"):
        send("http://hooks.example.org/", private=False)


def test_redirects_are_an_answer_like_any_other():
    with receiving(302) as receiver:
        assert send(receiver.url) == 302
        assert len(receiver.received) == 1


def test_what_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("whence.server.webhook_post.WHOLE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(NotSentError, match="no answer within"):
            send(url)
    with pytest.raises(NotSentError, match="refused"):
        send(url)


def send(url, *, private=True):
    return post(
        url, b"{}", message_id="de-1", secret="0123456789abcdef", timestamp=1, private=private
    )


def test_a_url_is_shown_without_what_it_may_hide():
    assert shorten_url("https://hooks.slack.com/services/T0/B0/x") == (
        "https://hooks.slack.com/services/…"
    )
    assert shorten_url("https://example.org/x?token=1") == "https://example.org/…"
    assert shorten_url("https://example.org/") == "https://example.org/"


def test_a_signature_is_the_one_of_standard_webhooks():
    """The example of its specification."""
    body = b'{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_was_sent_and_could_not_be_written_down_is_not_sent_again(chdb_store, monkeypatch):
    """The store fails once, after the receiver has answered."""
    monkeypatch.setattr("whence.server.outbox.RETRY_S", 0.05)
    refused = threading.Event()

    def write_once_refused(store, rows):
        if rows[0].state == "delivered" and not refused.is_set():
            refused.set()
            raise UnavailableError("the disk is full")
        write_deliveries(store, rows)

    monkeypatch.setattr("whence.server.outbox.write_deliveries", write_once_refused)
    leadership = Leadership(chdb_store, "sender")
    with receiving() as receiver:
        hook = WebhookRow(
            webhook_id="wh-once",
            url=receiver.url,
            form="json",
            environment=None,
            secret="0123456789abcdef",
            created_ms=1,
        )
        write_webhook(chdb_store, hook)
        with Outbox(chdb_store, leadership, private=True, public_url=None) as outbox:
            sent = outbox.test("wh-once")
            deadline = time.monotonic() + 30
            while (last := read_deliveries(chdb_store, "wh-once", 1)[0]).state == "pending":
                assert time.monotonic() < deadline
                time.sleep(0.05)
        assert refused.is_set()
        assert (last.state, last.attempts) == ("delivered", 1)
        (message,) = receiver.received
        assert message.id == message.json["id"] == sent.delivery_id
        remove_webhook(chdb_store, hook)


@pytest.mark.slow
def test_the_secret_of_a_removed_webhook_leaves_the_disk(tmp_path):
    store = tmp_path / "store"
    secret = "a-secret-that-is-looked-for-on-the-disk-0123456789"
    with serving(store, **PRIVATE) as running, api(running) as client:
        asked = {"url": "http://127.0.0.1:9/hook/of-a-secret-path", "secret": secret}
        made = client.post("/webhooks", json=asked).json()
        assert holds(store, secret)
        client.delete(f"/webhooks/{made['webhook']['webhook_id']}").raise_for_status()
        deadline = time.monotonic() + 90
        while holds(store, secret) or holds(store, "of-a-secret-path"):
            assert time.monotonic() < deadline, "it is still there"
            time.sleep(0.2)


def holds(store, text):
    """Tell whether a text stands in a file of the store, removed files apart."""
    for path in store.rglob("*"):
        with contextlib.suppress(OSError):  # a file that was just removed
            if path.is_file() and text.encode() in path.read_bytes():
                return True
    return False
