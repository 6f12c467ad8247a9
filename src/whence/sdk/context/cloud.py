"""The cloud that a process runs in, as far as the platform's own variables tell.

A row counts where all its markers are set; the first row that counts wins. Names and values are
those of OpenTelemetry's semantic conventions, and the platform's own name where these have none.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from whence.sdk.context.found import Found

if TYPE_CHECKING:
    from collections.abc import Iterator


class Cloud(msgspec.Struct, frozen=True):
    """One platform. `unless` names a variable that tells that it is another one after all."""

    provider: str
    platform: str
    markers: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...] = ()  # attribute, variable
    unless: str = ""


LAMBDA = (
    ("faas.name", "AWS_LAMBDA_FUNCTION_NAME"),
    ("faas.version", "AWS_LAMBDA_FUNCTION_VERSION"),
    ("faas.instance", "AWS_LAMBDA_LOG_STREAM_NAME"),
)
KNATIVE = (("faas.name", "K_SERVICE"), ("faas.version", "K_REVISION"))
GCP_PROJECT = ("cloud.account.id", "GOOGLE_CLOUD_PROJECT")
IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"

CLOUDS: tuple[Cloud, ...] = (
    Cloud("aws", "aws_lambda", ("AWS_LAMBDA_FUNCTION_NAME",), LAMBDA),
    Cloud("aws", "aws_ecs", ("ECS_CONTAINER_METADATA_URI_V4",)),
    Cloud("aws", "aws_ecs", ("ECS_CONTAINER_METADATA_URI",)),
    Cloud("gcp", "gcp_cloud_functions", ("K_SERVICE", "FUNCTION_TARGET"), (*KNATIVE, GCP_PROJECT)),
    # Knative sets the same variables on any cluster of one's own.
    Cloud("gcp", "gcp_cloud_run", ("K_SERVICE",), (*KNATIVE, GCP_PROJECT), unless=IN_KUBERNETES),
    Cloud(
        "gcp",
        "gcp_cloud_run",
        ("CLOUD_RUN_JOB",),
        (
            ("faas.name", "CLOUD_RUN_JOB"),
            ("faas.instance", "CLOUD_RUN_EXECUTION"),
            GCP_PROJECT,
        ),
    ),
    Cloud(
        "gcp",
        "gcp_app_engine",
        ("GAE_SERVICE",),
        (
            ("faas.name", "GAE_SERVICE"),
            ("faas.version", "GAE_VERSION"),
            ("faas.instance", "GAE_INSTANCE"),
            GCP_PROJECT,
        ),
    ),
    Cloud(
        "azure",
        "azure.functions",
        ("FUNCTIONS_EXTENSION_VERSION", "WEBSITE_SITE_NAME"),
        (("faas.name", "WEBSITE_SITE_NAME"), ("faas.instance", "WEBSITE_INSTANCE_ID")),
    ),
    Cloud(
        "azure",
        "azure.app_service",
        ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID"),
        (("service.instance.id", "WEBSITE_INSTANCE_ID"),),
    ),
    Cloud(
        "azure",
        "azure.container_apps",
        ("CONTAINER_APP_NAME",),
        (("service.instance.id", "CONTAINER_APP_REPLICA_NAME"),),
    ),
    Cloud(
        "heroku",
        "heroku",
        ("DYNO", "HEROKU_APP_ID"),
        (("heroku.app.id", "HEROKU_APP_ID"), ("service.instance.id", "DYNO")),
    ),
    Cloud("heroku", "heroku", ("DYNO",), (("service.instance.id", "DYNO"),)),
    Cloud(
        "fly_io",
        "fly_machine",
        ("FLY_APP_NAME",),
        (("service.instance.id", "FLY_MACHINE_ID"), ("container.image.name", "FLY_IMAGE_REF")),
    ),
)

# Both say so inside of Kubernetes too: a role for a service account of Amazon's cluster.
EKS_TOKEN, EKS_ROLE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"
ROLE_ARN = re.compile(r"^arn:[\w-]+:iam::(\d{12}):")
AZURE_OWNER = "WEBSITE_OWNER_NAME"  # <subscription>+<resource group>-<region>webspace


def read_cloud() -> Iterator[Found]:
    """Yield provider, platform, account and function, where variables tell."""
    cloud = next((one for one in CLOUDS if _counts(one)), None)
    if cloud is not None:
        yield from _describe(cloud)
    elif "/eks.amazonaws.com/" in os.environ.get(EKS_TOKEN, ""):
        yield Found("cloud.provider", "aws", f"env {EKS_TOKEN}")
        yield Found("cloud.platform", "aws_eks", f"env {EKS_TOKEN}")
        if match := ROLE_ARN.match(os.environ.get(EKS_ROLE, "")):
            yield Found("cloud.account.id", match[1], f"env {EKS_ROLE}")


def _counts(cloud: Cloud) -> bool:
    return all(os.environ.get(name) for name in cloud.markers) and not (
        cloud.unless and os.environ.get(cloud.unless)
    )


def _describe(cloud: Cloud) -> Iterator[Found]:
    source = f"env {cloud.markers[0]}"
    yield Found("cloud.provider", cloud.provider, source)
    yield Found("cloud.platform", cloud.platform, source)
    for attribute, name in cloud.attributes:
        value = os.environ.get(name, "").strip()
        if value:
            yield Found(attribute, value, f"env {name}")
    if cloud.provider == "azure":
        subscription, plus, _ = os.environ.get(AZURE_OWNER, "").partition("+")
        if plus and subscription:
            yield Found("cloud.account.id", subscription, f"env {AZURE_OWNER}")
