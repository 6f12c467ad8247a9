"""Host, process, container, Kubernetes and cloud: real processes under other variables."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys

import pytest

from whence import semconv
from whence.sdk.context import host
from whence.sdk.context.cloud import read_cloud
from whence.sdk.context.host import parse_container_id, read_host

RESOURCE = """
import json, os
from whence.sdk.context import process
print(json.dumps([os.getpid(), process.resource_attributes()]))
"""
ID = "0123456789abcdef" * 4
POD = "shop-7d4b9c6f5d-x2k8m"


def run(code: str = RESOURCE, **env: str) -> tuple[int, dict]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def variables(monkeypatch):
    """Set these variables and no other; return what is said of host and cloud, key → value."""

    def read(**env: str) -> dict[str, str]:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return {one.key: one.value for one in read_host()}

    return read


def test_a_process_sends_host_and_interpreter_by_opentelemetrys_names():
    pid, resource = run()
    assert resource["host.name"] == socket.gethostname()
    assert resource["process.pid"] == pid
    assert resource["process.runtime.name"] == sys.implementation.name
    assert resource["process.runtime.version"] == platform.python_version()
    assert resource["os.type"] == platform.system().lower()
    assert resource["host.arch"]


def test_a_forked_child_says_its_own_process_id():
    code = RESOURCE.replace(
        "print",
        "process.resource_attributes(); child = os.fork(); child and os.waitpid(child, 0); print",
    )
    code += "os._exit(0) if not child else None\n"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == 2
    assert all(resource["process.pid"] == pid for pid, resource in said)
    assert said[0][0] != said[1][0]


def test_only_what_somebody_searches_becomes_metadata():
    _, resource = run()
    assert "process.pid" in semconv.RESOURCE_ONLY
    assert {"host.name", "process.runtime.version"} <= set(semconv.METADATA_SOURCES)
    assert not [name for name in resource if name.startswith("whence.metadata.process")]
    assert not [name for name in resource if name.startswith("whence.metadata.host")]


# --- Container ------------------------------------------------------------------------------------

MOUNT = "1 2 0:1 /var/lib/{} /etc/hostname rw - ext4 /dev/sda1 rw"


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "found"),
    [
        (f"12:pids:/docker/{ID}\n0::/system.slice/containerd.service", "", ID),
        (f"1:name=systemd:/kubepods/besteffort/pod5f2/{ID}", "", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", "", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container", "", ID),
        (f"0::/system.slice/docker-{ID}.scope", "", ID),
        (f"9:memory:/ecs/{ID[:32]}/{ID[:32]}-2421782347", "", f"{ID[:32]}-2421782347"),
        ("0::/", MOUNT.format(f"docker/containers/{ID}/hostname"), ID),
        (
            "0::/",
            MOUNT.format(f"containers/storage/overlay-containers/{ID}/userdata/hostname"),
            ID,
        ),
        (
            "0::/",
            MOUNT.format(f"containerd/io.containerd.grpc.v1.cri/sandboxes/{ID}/hostname"),
            None,
        ),
        ("0::/user.slice/user-1000.slice/session-2.scope", "", None),
        ("", "", None),
        ("\x00" * 100 + "/" * 1000, "\ufffd" * 100, None),
    ],
)
def test_a_containers_id_is_read_as_its_engine_writes_it(cgroup, mountinfo, found):
    said = parse_container_id(cgroup, mountinfo)
    assert (said[0] if said else None) == found


# --- Kubernetes -----------------------------------------------------------------------------------

IN_KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def test_a_pod_says_its_names_by_the_usual_variables(variables):
    found = variables(
        **IN_KUBERNETES, POD_NAME=POD, POD_NAMESPACE="team", NODE_NAME="node-1", POD_UID="5f2"
    )
    assert found["k8s.pod.name"] == POD
    assert found["k8s.namespace.name"] == "team"
    assert found["k8s.node.name"] == "node-1"
    assert found["k8s.pod.uid"] == "5f2"
    assert found["k8s.deployment.name"] == "shop"


def test_outside_of_kubernetes_such_variables_mean_nothing(variables):
    found = variables(POD_NAME=POD, NODE_NAME="node-1")
    assert not [key for key in found if key.startswith("k8s.")]


def test_without_variables_the_host_name_is_the_pods_where_it_looks_so(variables):
    assert variables(**IN_KUBERNETES, HOSTNAME=POD)["k8s.pod.name"] == POD
    assert variables(**IN_KUBERNETES, HOSTNAME="shop-0")["k8s.pod.name"] == "shop-0"
    for node in ("ip-10-0-1-23", "ip-10-0-1-23.ec2.internal", "master", "node.example.com"):
        assert "k8s.pod.name" not in variables(**IN_KUBERNETES, HOSTNAME=node)


def test_the_namespace_is_that_of_the_service_account(variables, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "SERVICE_ACCOUNT", tmp_path / "namespace")
    assert "k8s.namespace.name" not in variables(**IN_KUBERNETES)
    (tmp_path / "namespace").write_text("team\n")
    assert variables(**IN_KUBERNETES)["k8s.namespace.name"] == "team"
    (tmp_path / "namespace").write_bytes(b"\xff" * 5000)
    assert "k8s.namespace.name" not in variables(**IN_KUBERNETES)


@pytest.mark.parametrize(
    "pod", ["shop-0", "job-28374655-x2k8m", "shop-x2k8m", "shop-7d4b9c6f5d-aeiou", "x2k8m"]
)
def test_a_deployment_is_named_only_by_a_pod_that_has_its_form(variables, pod):
    assert "k8s.deployment.name" not in variables(**IN_KUBERNETES, POD_NAME=pod)


# --- Cloud ----------------------------------------------------------------------------------------

CLOUDS = [
    (
        {
            "AWS_LAMBDA_FUNCTION_NAME": "shop",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/x",
        },
        ("aws", "aws_lambda"),
        {"faas.name": "shop", "faas.version": "7", "faas.instance": "2026/x"},
    ),
    ({"ECS_CONTAINER_METADATA_URI_V4": "http://x"}, ("aws", "aws_ecs"), {}),
    (
        {
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/shop",
        },
        ("aws", "aws_eks"),
        {"cloud.account.id": "123456789012"},
    ),
    (
        {"K_SERVICE": "shop", "K_REVISION": "shop-00007", "K_CONFIGURATION": "shop"},
        ("gcp", "gcp_cloud_run"),
        {"faas.name": "shop", "faas.version": "shop-00007"},
    ),
    (
        {"K_SERVICE": "shop", "FUNCTION_TARGET": "answer"},
        ("gcp", "gcp_cloud_functions"),
        {"faas.name": "shop"},
    ),
    (
        {"CLOUD_RUN_JOB": "nightly", "CLOUD_RUN_EXECUTION": "nightly-x"},
        ("gcp", "gcp_cloud_run"),
        {"faas.name": "nightly", "faas.instance": "nightly-x"},
    ),
    (
        {"GAE_SERVICE": "default", "GAE_VERSION": "v3", "GOOGLE_CLOUD_PROJECT": "shop-1"},
        ("gcp", "gcp_app_engine"),
        {"faas.version": "v3", "cloud.account.id": "shop-1"},
    ),
    (
        {
            "WEBSITE_SITE_NAME": "shop",
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "WEBSITE_OWNER_NAME": "sub-1+group-westeuropewebspace",
        },
        ("azure", "azure.functions"),
        {"faas.name": "shop", "cloud.account.id": "sub-1"},
    ),
    (
        {"WEBSITE_SITE_NAME": "shop", "WEBSITE_INSTANCE_ID": "i1"},
        ("azure", "azure.app_service"),
        {"service.instance.id": "i1"},
    ),
    (
        {"CONTAINER_APP_NAME": "shop", "CONTAINER_APP_REPLICA_NAME": "r1"},
        ("azure", "azure.container_apps"),
        {"service.instance.id": "r1"},
    ),
    ({"DYNO": "web.1"}, ("heroku", "heroku"), {"service.instance.id": "web.1"}),
    (
        {"FLY_APP_NAME": "shop", "FLY_MACHINE_ID": "m1"},
        ("fly_io", "fly_machine"),
        {"service.instance.id": "m1"},
    ),
]


@pytest.mark.parametrize(("env", "names", "more"), CLOUDS, ids=lambda one: str(one)[:30])
def test_a_cloud_is_known_by_the_variables_that_it_sets(variables, env, names, more):
    found = variables(**env)
    assert (found["cloud.provider"], found["cloud.platform"]) == names
    assert {key: found.get(key) for key in more} == more


def test_knative_on_a_cluster_of_ones_own_is_not_cloud_run(variables):
    assert "cloud.provider" not in variables(**IN_KUBERNETES, K_SERVICE="shop", K_REVISION="r1")


def test_no_variables_no_cloud(variables):
    assert not [key for key in variables() if key.startswith(("cloud.", "faas.", "k8s."))]
    assert list(read_cloud()) == []
