"""Every setting of the server, in one table: the environment variables and their documentation.

A setting `name` is read from `WHENCE_NAME`; an option of `whence server` wins over it. The table in
docs/server.md is made from `FIELDS` by `python -m whence.server.settings`, and a test keeps it
fresh.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from whence.errors import InvalidInputError
from whence.semconv import normalise_environment

MIB = 1 << 20
ENV_PREFIX = "WHENCE_"
MAX_DECODERS = 4  # of those that are not asked for


class Settings(BaseSettings):
    """What a server needs to know before it starts. Frozen."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Beyond loopback the server "
        "refuses to start without `WHENCE_API_KEY`.",
    )
    port: int = Field(4320, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    store: str = Field(
        "./.whence",
        description="Where the data rests: a directory, or "
        "`clickhouse://user:password@host:8123/database`.",
    )
    api_key: SecretStr | None = Field(
        None,
        description="The key that clients send as "
        "`Authorization: Bearer …`. Unset: no key is asked for, "
        "which only loopback allows.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names besides the loopback ones that requests may name, separated "
        "by commas; `*.example.org` takes every name below, `*` takes all.",
    )
    default_experiment: str = Field(
        "0",
        min_length=1,
        description="Experiment of traces that name none: an id in digits, or a name.",
    )
    environment_aliases: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        (),
        description="Further spellings of environments for the field `environment`, such as "
        "`uat=staging,canary=production`; they come before the well-known ones "
        "([which](opentelemetry.md)). For traces that arrive from then on.",
    )
    max_body_bytes: int = Field(
        64 * MIB,
        ge=1024,
        description="Largest request body, both as sent and decompressed. Above it: 413.",
    )
    max_inflight_bytes: int = Field(
        256 * MIB,
        ge=1024,
        description="Memory that the bodies of all "
        "requests under way may take. Above it: 503 with "
        "`Retry-After`.",
    )
    max_queue_bytes: int = Field(
        256 * MIB,
        ge=1024,
        description="Memory that decoded spans may take until they are durable. Above it: 503 "
        "with `Retry-After`.",
    )
    idle_exit_s: float | None = Field(
        None,
        gt=0,
        description="Exit when no request came (health "
        "checks don't count) and nothing was taken from the spool "
        "for so many seconds. Unset: never.",
    )
    readers: int = Field(
        6, ge=1, le=64, description="Threads that read from the store, each with its own client."
    )
    decoders: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Processes that decompress and decode OTLP bodies; they start with the first "
        "large body. Unset: one less than there are cores, from 1 to 4. 0: the server's own "
        "process does it.",
    )
    query_seconds: float = Field(
        30.0,
        gt=0,
        description="How long the queries of one request may take. Above it: 504. Taking traces "
        "in has no such limit.",
    )
    memory_bytes: int | None = Field(
        None,
        ge=256 * MIB,
        description="Memory that the embedded engine may take. Unset: a quarter of the machine's, "
        "2 GiB at least.",
    )
    disk_reserve_bytes: int = Field(
        512 * MIB,
        ge=0,
        description="Below this much free disk the server takes no traces (503) and is not ready.",
    )
    watch: bool = Field(
        True,
        description="Watch new versions while traffic arrives, and keep findings "
        "([how](findings.md)). `off`: don't.",
    )
    webhook_private: bool = Field(
        False,
        description="Send webhooks to addresses of this machine and of private networks too. "
        "Whoever may use the API could then reach what only the server reaches.",
    )
    public_url: str | None = Field(
        None,
        pattern="^https?://",
        description="Where people reach the server, for links in webhooks' messages.",
    )
    live_queue: int = Field(
        1000,
        ge=1,
        description="Changed traces that wait for one slow "
        "listener of the live tail; older ones are then left out.",
    )
    shutdown_grace_s: float = Field(
        30.0, gt=0, description="How long requests under way may take after SIGTERM."
    )
    access_log: bool = Field(False, description="Log one JSON line for each request.")
    log_level: str = Field(
        "warning",
        pattern="^(debug|info|warning|error)$",
        description="Least severe message logged: debug, info, warning, error.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("environment_aliases", mode="before")
    @classmethod
    def _split_aliases(cls, value: object) -> object:
        return read_aliases(value) if isinstance(value, str) else value

    @field_validator("api_key", mode="after")
    @classmethod
    def _blank_is_unset(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value() else None

    @property
    def key(self) -> str | None:
        """The API key in the clear, or None."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @property
    def aliases(self) -> dict[str, str]:
        """The user's own spellings of environments: lower case → the name they mean."""
        return dict(self.environment_aliases)

    @property
    def decoder_processes(self) -> int:
        """How many processes decode bodies."""
        if self.decoders is not None:
            return self.decoders
        return min(max(1, (os.cpu_count() or 1) - 1), MAX_DECODERS)

    @property
    def is_loopback(self) -> bool:
        """Whether `host` is reachable from this machine only."""
        return is_loopback(self.host)


def read_aliases(text: str) -> tuple[tuple[str, str], ...]:
    """Read `spelling=name,…`; raise ValueError that names the part that is wrong.

    A name that has a well-known form takes it (`uat=prod` means `production`), except where an
    alias keeps a spelling as it is (`local=local`).
    """
    aliases: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        spelling, equals, name = (one.strip().lower() for one in part.partition("="))
        if not (spelling and equals and name):
            raise ValueError(f"{part!r} is not of the form spelling=name, such as uat=staging")
        if "=" in name:
            raise ValueError(f"{part!r} has more than one '='; separate aliases by commas")
        meant = name if name == spelling else normalise_environment(name)
        if aliases.setdefault(spelling, meant) != meant:
            raise ValueError(f"{spelling!r} is given two meanings: {aliases[spelling]}, {meant}")
    return tuple(aliases.items())


def load_settings(**given: Any) -> Settings:
    """Read the settings from the environment; what is given and not None wins.

    Raises `InvalidInputError` that names each wrong variable.
    """
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(
            f"{ENV_PREFIX}{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors()
        )
        raise InvalidInputError(f"settings can't be read: {problems}") from None
    if not settings.is_loopback and settings.key is None:
        raise InvalidInputError(
            f"listening on {settings.host} opens the server to the network: set WHENCE_API_KEY "
            "(or --api-key), or listen on 127.0.0.1"
        )
    return settings


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine only."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def describe_settings() -> str:
    """Return the table of docs/server.md, in Markdown."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "unset" if default is None or default == () else f"`{default}`"
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(describe_settings())  # noqa: T201
