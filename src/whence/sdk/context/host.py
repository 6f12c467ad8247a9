"""The machine and the process, in the words of OpenTelemetry's semantic conventions.

Host, operating system, interpreter, container, Kubernetes and cloud, as far as files and variables
tell: nothing here asks the network, so a plain virtual machine of a cloud isn't known as one.
`semconv.RESOURCE_ONLY` lists what stays on the resource of the spans; the rest is metadata and can
be searched. Region and deployment id are not read here, `whence.sdk.context.platforms` has them.
Takes below a millisecond.

Limit: a pod on its node's network has the node's host name, and where that ends like a pod's (with
a dash and a number) and no variable names the pod, it is taken for the pod's.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from whence.sdk.context.cloud import read_cloud
from whence.sdk.context.found import Found
from whence.sdk.context.small_files import read_small_text

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUP, MOUNTINFO = Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")
MAX_PROC_BYTES = 1 << 20
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
MAX_NAME_BYTES = 1024

SYSTEM = "the operating system"
PROCESS = "the running process"

# What `uname` says → OpenTelemetry's well-known name; another name is kept.
ARCHITECTURES = {
    "x86_64": "amd64",
    "i386": "x86",
    "i686": "x86",
    "aarch64": "arm64",
    "armv6l": "arm32",
    "armv7l": "arm32",
    "ppc64le": "ppc64",
}
SYSTEMS = {"sunos": "solaris", "hp-ux": "hpux"}

# Kubernetes' downward API sets no variable by itself: these are the usual names in pod templates.
POD_VARIABLES: dict[str, tuple[str, ...]] = {
    "k8s.pod.name": ("K8S_POD_NAME", "KUBERNETES_POD_NAME", "POD_NAME", "MY_POD_NAME"),
    "k8s.namespace.name": (
        "K8S_NAMESPACE_NAME",
        "K8S_NAMESPACE",
        "KUBERNETES_NAMESPACE",
        "POD_NAMESPACE",
        "MY_POD_NAMESPACE",
    ),
    "k8s.node.name": ("K8S_NODE_NAME", "KUBERNETES_NODE_NAME", "NODE_NAME", "MY_NODE_NAME"),
    "k8s.cluster.name": ("K8S_CLUSTER_NAME", "KUBERNETES_CLUSTER_NAME", "CLUSTER_NAME"),
    "k8s.deployment.name": ("K8S_DEPLOYMENT_NAME", "KUBERNETES_DEPLOYMENT_NAME"),
    "k8s.container.name": ("K8S_CONTAINER_NAME", "KUBERNETES_CONTAINER_NAME", "CONTAINER_NAME"),
    "k8s.pod.uid": ("K8S_POD_UID", "KUBERNETES_POD_UID", "POD_UID", "MY_POD_UID"),
}
# The letters that Kubernetes makes random names of: no vowels, nothing that reads like another.
RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
DEPLOYED_POD = re.compile(rf"^(.+)-(?=\d*[a-z]){RANDOM}{{6,10}}-{RANDOM}{{5}}$")
NAMED_POD = re.compile(rf"^(?!ip-\d)[^.]+-(?:{RANDOM}{{5}}|\d{{1,3}})$")

# A container's id is 64 hex digits; a task on AWS Fargate has 32, a dash and digits.
ID = r"([0-9a-f]{64}|[0-9a-f]{32}-[0-9]{5,20})"
IN_CGROUP = re.compile(rf"(?:^|[:-]){ID}(?:\.scope)?$")
IN_MOUNTS = re.compile(rf"/(?:containers|overlay-containers)/{ID}/")


def read_host() -> Iterator[Found]:
    """Yield what is known of host, process, container, Kubernetes and cloud."""
    yield from _read_system()
    yield from _read_process()
    container = parse_container_id(
        read_small_text(CGROUP, MAX_PROC_BYTES), read_small_text(MOUNTINFO, MAX_PROC_BYTES)
    )
    if container:
        yield Found("container.id", *container)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        yield from _read_kubernetes()
    yield from read_cloud()


def parse_container_id(cgroup: str, mountinfo: str) -> tuple[str, str] | None:
    """Return the container's id and which of the two texts it stands in.

    The control groups name it, unless they have a namespace of their own (version 2, `0::/`);
    then the container engine's mounts do. The id of a pod's sandbox is not the container's.
    """
    for line in cgroup.splitlines():
        for part in reversed(line.split("/")):
            if match := IN_CGROUP.search(part):
                return match[1], str(CGROUP)
    for line in mountinfo.splitlines():
        if match := IN_MOUNTS.search(line):
            return match[1], str(MOUNTINFO)
    return None


def _read_system() -> Iterator[Found]:
    name = socket.gethostname()
    if name:
        yield Found("host.name", name, SYSTEM)
    machine = platform.machine().lower()
    if machine:
        yield Found("host.arch", ARCHITECTURES.get(machine, machine), SYSTEM)
    system = platform.system().lower()
    if system:
        yield Found("os.type", SYSTEMS.get(system, system), SYSTEM)


def _read_process() -> Iterator[Found]:
    yield Found("process.pid", str(os.getpid()), PROCESS)
    yield Found("process.runtime.name", sys.implementation.name, PROCESS)
    yield Found("process.runtime.version", _write_version(), PROCESS)
    if sys.executable:
        yield Found("process.executable.name", Path(sys.executable).name, PROCESS)


def _write_version() -> str:
    """Write it as OpenTelemetry's convention for Python asks: a final release without its level."""
    version = sys.implementation.version
    plain = version.releaselevel == "final" and not version.serial
    return ".".join(str(part) for part in (version[:3] if plain else version))


def _read_kubernetes() -> Iterator[Found]:
    found = {key: one for key, names in POD_VARIABLES.items() if (one := _find(key, names))}
    if "k8s.namespace.name" not in found:
        namespace = read_small_text(SERVICE_ACCOUNT, MAX_NAME_BYTES).strip()
        if namespace:
            source = str(SERVICE_ACCOUNT)
            found["k8s.namespace.name"] = Found("k8s.namespace.name", namespace, source)
    if "k8s.pod.name" not in found:
        # The host name of a pod on the host's network is the node's, which has no such ending.
        host = os.environ.get("HOSTNAME", "").strip()
        if NAMED_POD.match(host):
            found["k8s.pod.name"] = Found("k8s.pod.name", host, "env HOSTNAME")
    pod = found.get("k8s.pod.name")
    if pod and "k8s.deployment.name" not in found and (match := DEPLOYED_POD.match(pod.value)):
        name = "k8s.deployment.name"
        found[name] = Found(name, match[1], f"the pod's name ({pod.source})")
    yield from found.values()


def _find(key: str, names: tuple[str, ...]) -> Found | None:
    for name in names:
        value = os.environ.get(name, "").strip()
        if value:
            return Found(key, value, f"env {name}")
    return None
