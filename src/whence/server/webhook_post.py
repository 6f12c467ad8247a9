"""Posting one message to a webhook: signed, to a checked address, within a time.

Signatures are those of Standard Webhooks: `webhook-id`, `webhook-timestamp` (Unix seconds), and
`webhook-signature`, "v1," and the base64 of the HMAC-SHA256 of `{id}.{timestamp}.{body}`. The key
is what follows `whsec_` in base64, or the secret's own bytes where it does not begin so.

A URL is given by whoever may use the API, and the server may reach what they can't. So the host is
resolved once, every address must be public (unless private ones are allowed), and the connection
goes to the very address that was checked. Redirects are not followed, proxies not used, and nothing
of what the receiver answers is kept but its status.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from whence.errors import InvalidInputError

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins
TIMEOUT_S = 10.0  # of each step
WHOLE_S = 20.0  # of all steps together
PORTS = {"http": 80, "https": 443}
# IPv6 addresses that stand for IPv4 ones (NAT64, 6to4, Teredo, compatible), and those of a site.
EMBEDDING = [
    ipaddress.ip_network(one)
    for one in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
]


class NotSentError(Exception):
    """Nothing was answered; the text says why."""


class Address(NamedTuple):
    """Where to connect to: what a host's name meant when it was checked."""

    family: int
    host: str
    port: int


def check_url(url: str, *, private: bool) -> SplitResult:
    """Return the parts of a webhook's URL. Raises InvalidInputError where it can't be one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"the webhook's URL can't be read: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise InvalidInputError("a webhook's URL is https://host/path (or http://)")
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError("a webhook's URL holds no user and no password; use its path")
    if not url.isascii() or any(one.isspace() or not one.isprintable() for one in url):
        raise InvalidInputError("a webhook's URL is ASCII without spaces; encode it")
    if not private and not _may_be_public(parts.hostname):
        raise InvalidInputError(
            f"{parts.hostname} is an address of this machine or of a private network; the server "
            "sends there only with WHENCE_WEBHOOK_PRIVATE=on"
        )
    return parts


def _may_be_public(host: str) -> bool:
    try:
        return _is_public(host)
    except ValueError:  # a name: what it means is checked whenever something is sent
        name = host.rstrip(".").lower()
        return name != "localhost" and not name.endswith(".localhost")


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None:
        found = mapped
    elif any(found in network for network in EMBEDDING):
        return False
    return found.is_global and not found.is_multicast


def shorten_url(url: str) -> str:
    """Return a URL as it may be shown: the host, and the first step of the path."""
    parts = urlsplit(url)
    first, _, rest = parts.path.lstrip("/").partition("/")
    shown = f"{parts.scheme}://{parts.netloc}/{first if rest else ''}"
    hidden = bool(rest or first or parts.query)
    return shown + (("/" if rest else "") + "…" if hidden else "")


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for. Raises InvalidInputError for bad base64."""
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError(f"what follows {SECRET_PREFIX} in a secret is base64") from None


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def post(
    url: str, body: bytes, *, message_id: str, secret: str, timestamp: int, private: bool
) -> int:
    """Post a message; return the status of the answer. Raises NotSentError."""
    try:
        parts = check_url(url, private=private)
        address = _resolve(parts, private=private)
    except InvalidInputError as error:
        raise NotSentError(error.message) from None
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "whence",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, message_id, timestamp, body),
    }
    target = parts.path or "/"
    if parts.query:
        target += f"?{parts.query}"
    return _send(parts, address, target, body, headers)


def _resolve(parts: SplitResult, *, private: bool) -> Address:
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotSentError(f"{host} is not known: {error}") from None
    addresses = [Address(one[0], str(one[4][0]), port) for one in found]
    for one in addresses:
        if not private and not _is_public(one.host):
            raise NotSentError(
                f"{host} means an address of this machine or of a private network; the server "
                "sends there only with WHENCE_WEBHOOK_PRIVATE=on"
            )
    if not addresses:
        raise NotSentError(f"{host} has no address")
    return addresses[0]


def _send(
    parts: SplitResult, address: Address, target: str, body: bytes, headers: dict[str, str]
) -> int:
    connection = http.client.HTTPConnection(parts.hostname or "", address.port, timeout=TIMEOUT_S)
    ended = threading.Event()
    try:
        connection.sock = _connect(parts, address)
        limit = threading.Timer(WHOLE_S, _cut, (connection.sock, ended))
        limit.daemon = True
        limit.start()
        try:
            connection.request("POST", target, body=body, headers=headers)
            return connection.getresponse().status
        finally:
            limit.cancel()
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = f"no answer within {WHOLE_S:.0f} s" if ended.is_set() else ""
        reason = late or getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NotSentError(f"{parts.hostname}: {reason}") from None
    finally:
        connection.close()


def _connect(parts: SplitResult, address: Address) -> socket.socket:
    plain = socket.create_connection((address.host, address.port), timeout=TIMEOUT_S)
    if parts.scheme != "https":
        return plain
    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
    except BaseException:
        plain.close()
        raise


def _cut(connected: socket.socket, ended: threading.Event) -> None:
    """End an exchange that takes too long, whatever it waits for."""
    ended.set()
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
