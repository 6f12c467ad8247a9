"""Image labels and pod labels, mounted as Kubernetes and Docker write them."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installs import REPORT
from whence.sdk.context import image_labels
from whence.sdk.context.image_labels import parse_labels, read_image_labels

SHA = "0123456789abcdef0123456789abcdef01234567"
COMMIT, URL = "mlflow.source.git.commit", "mlflow.source.git.repoURL"
OCI = {
    "org.opencontainers.image.revision": SHA,
    "org.opencontainers.image.source": "https://ann:s3cr3t@example.com/team/shop",
    "org.opencontainers.image.version": "2.1.0",
    "org.opencontainers.image.created": "2026-11-23T12:00:00Z",
    "maintainer": "ann",
}


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Write a file of labels, name it, and return what is read of it: key → value."""

    def write(content: str | bytes) -> dict[str, str]:
        path = tmp_path / "labels"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        monkeypatch.setenv("WHENCE_IMAGE_LABELS", str(path))
        found = list(read_image_labels())
        assert {one.source for one in found} <= {f"image labels {path}"}
        return {one.key: one.value for one in found}

    return write


def lines(given: dict[str, str]) -> str:
    """Write labels as the kubelet does: Go's %q, which JSON's quoting agrees with here."""
    return "\n".join(f"{key}={json.dumps(value)}" for key, value in sorted(given.items()))


def test_a_program_reads_them_from_the_file_that_it_is_told_of(tmp_path):
    (tmp_path / "labels.json").write_text(json.dumps(OCI))
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        cwd=tmp_path,
        env={"WHENCE_IMAGE_LABELS": str(tmp_path / "labels.json"), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    source = f"image labels {tmp_path / 'labels.json'}"
    assert report[COMMIT] == [SHA, source]
    assert report[URL] == ["https://example.com/team/shop", source]
    assert report["app_version"] == ["2.1.0", source]
    assert report["whence.build.time"] == ["2026-11-23T12:00:00Z", source]


@pytest.mark.parametrize(
    "write",
    [
        lines,
        json.dumps,
        lambda given: json.dumps([{"Id": "sha256:1", "Config": {"Labels": given}}]),
        lambda given: json.dumps({"config": {"Labels": given}}),
        lambda given: json.dumps({"schemaVersion": 2, "annotations": given}),
    ],
    ids=["downward API", "object", "docker inspect", "image configuration", "manifest"],
)
def test_each_form_of_the_file_says_the_same(labels, write):
    assert labels(write(OCI))[COMMIT] == SHA


def test_the_labels_before_the_ocis_are_known(labels):
    found = labels(
        'org.label-schema.vcs-ref="0123456"\norg.label-schema.version="1.9"\n'
        'org.label-schema.vcs-url="git@example.com:team/shop.git"\n'
    )
    assert found == {COMMIT: "0123456", URL: "git@example.com:team/shop.git", "app_version": "1.9"}


def test_a_pods_labels_name_version_and_service(labels):
    found = labels(
        'app.kubernetes.io/instance="shop-eu"\napp.kubernetes.io/name="shop"\n'
        'app.kubernetes.io/version="2.1.0"\npod-template-hash="abc"\n'
    )
    assert found == {"service.name": "shop-eu", "app_version": "2.1.0"}


def test_opentelemetrys_annotations_become_the_keys_they_stand_for_and_win(labels):
    found = labels(
        'resource.opentelemetry.io/service.version="9"\napp.kubernetes.io/version="1"\n'
        'resource.opentelemetry.io/deployment.environment.name="prod"\n'
        'resource.opentelemetry.io/team="search"\n'
    )
    assert found == {"app_version": "9", "environment": "prod", "team": "search"}


def test_ubuntus_own_version_is_not_the_applications(labels):
    found = labels(
        'org.opencontainers.image.ref.name="ubuntu"\norg.opencontainers.image.version="24.04"\n'
    )
    assert found == {}


def test_values_are_unescaped_as_go_escapes_them():
    text = r'a="say \"hi\"\n\ttab \\ \u00e9 \U0001F600 \x41"' + '\nb=""\nno quotes=1\nc=plain\n'
    assert parse_labels(text) == {"a": 'say "hi"\n\ttab \\ é 😀 A', "b": ""}


def test_a_revision_that_is_no_commit_counts_as_not_said(labels):
    assert labels('org.opencontainers.image.revision="main"\n') == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe",
        b"[",
        b"[]",
        b"[1]",
        b'{"Config": 5}',
        b'{"a": {"b": 1}}',
        b"[" * 20_000,
        b"=" * 1000,
        b'a="' + b"\\" * 1001,
        b'a="\\UFFFFFFFF"',
        b'{"a": "' + b"x" * (1 << 20) + b'"}',
    ],
)
def test_hostile_files_say_nothing_and_do_no_harm(labels, content):
    assert labels(content) == {}


def test_a_named_file_without_labels_is_warned_of_once(tmp_path, monkeypatch, caplog):
    from whence.sdk import diagnostics

    diagnostics.reset()
    monkeypatch.setenv("WHENCE_IMAGE_LABELS", str(tmp_path / "missing"))
    assert list(read_image_labels()) == list(read_image_labels()) == []
    assert caplog.text.count(f"{tmp_path / 'missing'} (it is not there") == 1
    assert "unset WHENCE_IMAGE_LABELS" in caplog.text


def test_a_pods_files_are_found_where_kubernetes_examples_mount_them(tmp_path, monkeypatch):
    files = [tmp_path / "labels", tmp_path / "annotations"]
    files[0].write_text('app.kubernetes.io/version="1"\n')
    files[1].write_text(f'org.opencontainers.image.revision="{SHA}"\n')
    monkeypatch.delenv("WHENCE_IMAGE_LABELS", raising=False)
    monkeypatch.setattr(image_labels, "POD_FILES", tuple(files))
    found = {one.key: one.source for one in read_image_labels()}
    assert found == {"app_version": f"image labels {files[0]}", COMMIT: f"image labels {files[1]}"}


def test_the_default_paths_are_those_of_kubernetes_documentation():
    assert image_labels.POD_FILES == (Path("/etc/podinfo/labels"), Path("/etc/podinfo/annotations"))


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(image_labels).failed == 0
