"""The manifest of a version: what it holds, when two are one, and how it reaches a server."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path  # noqa: TC003 - a fixture's type

import pytest

import whence
from git_repositories import git, make_repository
from otlp_sink import Answer
from serving import clean_environment, serving
from shop import install
from whence import semconv
from whence.errors import InvalidInputError
from whence.otlp.json import decode_request
from whence.otlp.segments import read_segments

RECORD = """
import sys, whence
with whence.start_span("work"):
    pass
whence.flush()
"""
SHOW = """
import json, sys
from whence.sdk.context import process
process.resolve_late()
entry = next(one for one in process.describe() if one.key == "whence.manifest")
print(json.dumps({
    "digest": entry.value,
    "documents": [[one.kind, one.hash, one.text] for one in process.documents()],
}))
"""


def run(folder, text, **env):
    """Run a program that lies in a folder; return what it printed."""
    folder.mkdir(exist_ok=True)
    (folder / "program.py").write_text("import whence\n" + text)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "program.py"],
        cwd=folder,
        env=clean_environment(HOME=str(folder), PYTHONDONTWRITEBYTECODE="1", **env),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done


def show(folder, text="", **env):
    """Return the digest, the manifest and the other documents {kind: {hash: text}} of a program."""
    found = json.loads(run(folder, text + SHOW, **env).stdout)
    documents: dict[str, dict[str, str]] = {}
    for kind, name, content in found["documents"]:
        documents.setdefault(kind, {})[name] = content
    manifest = documents.pop("manifest")[found["digest"]]
    return found["digest"], json.loads(manifest), documents


def test_a_manifest_holds_code_installs_and_declarations_and_nothing_of_the_place(tmp_path):
    code = make_repository(tmp_path / "code")
    git(code, "remote", "add", "origin", str(tmp_path / "home" / "jenny" / "shop.git"))
    libraries = install(tmp_path / "libraries", Some_Library="3.2.1")
    declare = 'whence.version(prompts={"p": "text"}, models={"m": "gpt"}, parameters={"t": 0.5})\n'
    digest, manifest, documents = show(
        code, declare, PYTHONPATH=str(libraries), WHENCE_APP_VERSION="1.2.0", SECRET_KEY="hush"
    )
    assert manifest["app_version"] == "1.2.0"
    assert manifest["commit"] == git(code, "rev-parse", "HEAD")
    assert manifest["branch"] == "main"
    assert manifest["dirty"] is True
    assert manifest["distributions"]["some-library"] == "3.2.1"
    assert manifest["distributions"]["msgspec"]
    assert manifest["models"] == {"m": "gpt"} and manifest["parameters"] == {"t": 0.5}
    name = hashlib.sha256(b"text").hexdigest()
    assert manifest["prompts"] == {"p": {"hash": name, "bytes": 4, "text_hash": name}}
    assert documents["prompt"] == {name: "text"}
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    for private in (str(tmp_path), "jenny", "hush", "SECRET_KEY"):
        assert private not in text


def test_equal_content_is_one_manifest_wherever_it_runs(tmp_path):
    digests = {
        show(tmp_path / name, WHENCE_APP_VERSION="1", WHENCE_ENVIRONMENT=name)[0]
        for name in ("production", "staging")
    }
    assert len(digests) == 1
    assert show(tmp_path / "other", WHENCE_APP_VERSION="2")[0] not in digests


def test_the_ancestors_of_the_commit_go_along_without_the_git_program(tmp_path):
    code = make_repository(tmp_path / "code", commits=5)
    git(code, "gc", "-q")
    expected = git(code, "rev-list", "--first-parent", "HEAD").splitlines()
    _, _, documents = show(code, PATH="")
    assert documents["ancestors"] == {expected[0]: "\n".join(expected[1:])}
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--no-local", "--depth", "2", f"file://{code}", str(shallow))
    _, _, documents = show(shallow)
    assert documents["ancestors"][expected[0]].splitlines() == expected[1:3]


def test_prompts_can_be_kept_to_oneself(tmp_path):
    declare = 'whence.version(prompts={"p": "text"})\n'
    _, shown, documents = show(tmp_path / "a", declare)
    digest, hidden, without = show(tmp_path / "b", declare, WHENCE_STORE_PROMPTS="0")
    assert hidden["prompts"] == shown["prompts"]
    assert "prompt" in documents and "prompt" not in without
    configured = "whence.configure(store_prompts=False)\n" + declare
    assert show(tmp_path / "c", configured)[0] == digest


def test_hostile_declarations_are_bounded_and_said(tmp_path):
    declare = r"""
class Odd:
    def __repr__(self): raise RuntimeError("no")
whence.version(
    prompts={"huge": "é" * 3_000_000, "odd\x1b[2J\n": "\ud800\x00 text"},
    models={"m": "x" * 5000},
    parameters={"object": object(), "odd": Odd(), "nan": float("nan"), "long": "y" * 10_000,
                "nested": {"a": (1, None)}, "set": {3}},
)
"""
    done = run(tmp_path / "a", declare + SHOW)
    assert "has 6000000 bytes" in done.stderr and "4000 characters" in done.stderr
    digest, manifest, documents = show(tmp_path / "a", declare)
    assert digest == show(tmp_path / "b", declare)[0]  # no address of an object
    huge = manifest["prompts"]["huge"]
    assert huge["bytes"] == 6_000_000 and huge["hash"] != huge["text_hash"]
    assert len(documents["prompt"][huge["text_hash"]].encode()) == 1 << 20
    assert "odd\x1b[2J\n" in manifest["prompts"]
    assert manifest["parameters"]["nested"] == {"a": [1, None]}
    assert len(manifest["parameters"]["long"]) < 4200
    for name, text in documents["prompt"].items():
        assert hashlib.sha256(text.encode()).hexdigest() == name


def test_prompts_take_bounded_memory_however_many_are_declared(tmp_path):
    declare = r"""
import tracemalloc
whence.version(prompts={"p": "the first"})
with whence.start_span("first"):
    pass
whence.flush()
tracemalloc.start()
for number in range(40):
    whence.version(prompts={"again": f"{number} " * 2_000_000})
    whence.flush()
assert tracemalloc.get_traced_memory()[0] < 8_000_000, tracemalloc.get_traced_memory()
for number in range(30):
    whence.version(prompts={f"p{number:02d}": f"{number:02d} " * 333_000})
assert tracemalloc.get_traced_memory()[0] < 24_000_000, tracemalloc.get_traced_memory()
"""
    _, manifest, documents = show(tmp_path / "a", declare)
    assert len(manifest["prompts"]) == 32
    assert all(one["bytes"] == 999_000 for name, one in manifest["prompts"].items() if name > "p/")
    kept = [one for one in manifest["prompts"].values() if one["text_hash"] in documents["prompt"]]
    assert 14 <= len(kept) <= 18


def test_declarations_of_many_threads_are_all_kept(tmp_path):
    declare = r"""
import sys, threading
sys.setswitchinterval(1e-6)
begin = threading.Barrier(8)
def declare(thread):
    begin.wait()
    for number in range(20):
        whence.version(models={f"{thread}-{number}": "gpt"}, parameters={f"{thread}-{number}": 1})
threads = [threading.Thread(target=declare, args=(one,)) for one in range(8)]
for one in threads: one.start()
for one in threads: one.join()
"""
    _, manifest, _ = show(tmp_path / "a", declare)
    assert len(manifest["models"]) == len(manifest["parameters"]) == 160


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prompts": "text"}, "must be a dict"),
        ({"prompts": {"a": 1}}, r"prompts\['a'\] must be text, but got int"),
        ({"models": {"": "x"}}, "non-empty text"),
        ({"parameters": {3: "x"}}, "non-empty text, not 3"),
        ({"parameters": {f"p{n}": n for n in range(201)}}, "201 names"),
    ],
)
def test_a_wrong_declaration_is_an_error_that_says_how_to_mend_it(given, message):
    with pytest.raises(InvalidInputError, match=message):
        whence.version(**given)


def test_a_declaration_joins_the_one_before_and_names_later_traces(experiment):
    whence.version(prompts={"a": "one"}, models={"m": "gpt"})
    with whence.start_span("first") as first:
        pass
    whence.flush()
    whence.version(prompts={"b": "two"})
    with whence.start_span("second") as second:
        pass
    found = [
        whence.get_trace(one.trace_id).info.trace_metadata[semconv.MANIFEST]
        for one in (first, second)
    ]
    assert found[0] != found[1]
    versions = [whence.get_version(one) for one in found]
    assert [list(one.manifests[0].manifest.prompts) for one in versions] == [["a"], ["a", "b"]]
    diff = whence.diff_versions(*found, repository=None)
    assert [(one.name, one.before, one.diff[-1]) for one in diff.prompts] == [("b", None, "+two")]
    assert "two" in diff.to_markdown() and "b: none → 3 bytes" in diff.to_text()
    assert json.loads(diff.to_json())["prompts"][0]["name"] == "b"


def test_the_version_s_quality_and_what_was_seen_are_read_in_python(experiment):
    whence.configure(app_version="7.0", environment="staging")
    for value in (1, 0, "yes", "no", "other", 0.5):
        with whence.start_span("ask", span_type="TOOL") as span:
            span.set_attributes({"gen_ai.request.model": "a", "gen_ai.response.model": "b"})
        whence.log_feedback(trace_id=span.trace_id, name="good", value=value)
    (row,) = whence.search_versions("staging", locations=[experiment.experiment_id])
    assert (row.app_version, row.traces) == ("7.0", 6)
    assert [(one.name, one.mean, one.count) for one in row.quality] == [("good", 0.5, 5)]
    found = whence.get_version("7.0", locations=[experiment.experiment_id])
    assert [one.value for one in found.seen.models_requested] == ["a"]
    assert [one.value for one in found.seen.models_answered] == ["b"]
    assert [(one.value, one.count) for one in found.seen.tools] == [("ask", 6)]
    deleted = [one.info.trace_id for one in whence.search_traces(return_type="list")]
    whence.MlflowClient().delete_traces(experiment.experiment_id, trace_ids=deleted[:1])
    (row,) = whence.search_versions(locations=[experiment.experiment_id])
    assert (row.traces, sum(one.traces for one in row.quality)) in {(5, 4), (5, 5)}


def test_a_server_that_knows_nothing_of_manifests_gets_every_span(sink, tmp_path):
    sink.answers.append(Answer(400, body=b"what is this?"))
    run(tmp_path / "a", RECORD, WHENCE_URL=sink.url)
    assert sink.names() == {"work"}
    sent = [group.resource.attributes for one in sink.requests for group in one.groups]
    kinds = [one[semconv.DOCUMENT_KIND] for one in sent if semconv.DOCUMENT_KIND in one]
    assert kinds == ["manifest"]


def test_a_local_store_takes_the_manifest_from_the_spool_once_for_all_processes(tmp_path):
    store = tmp_path / "store"
    fork = """
import os
with whence.start_span("parent"):
    pass
whence.flush()
child = os.fork()
with whence.start_span("after"):
    pass
whence.flush()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    for name in ("a", "b"):
        run(tmp_path / name, fork, WHENCE_URL=str(store), WHENCE_APP_VERSION="3.0")
    with serving(store) as running:
        code = """
import sys
(row,) = whence.search_versions()
print(row.app_version, row.traces, row.manifest_count, row.manifests[0].digest)
found = whence.get_version(row.manifests[0].digest)
print(found.manifests[0].manifest.app_version)
"""
        assert running.url
        done = run(tmp_path / "c", code, WHENCE_URL=str(store))
    first, second = done.stdout.splitlines()
    assert first.split()[:3] == ["3.0", "6", "1"]
    assert second == "3.0"


def test_while_the_server_is_away_the_manifest_waits_with_the_spans(tmp_path):
    outbox = tmp_path / "outbox"
    run(tmp_path / "a", RECORD, WHENCE_URL="http://127.0.0.1:9", WHENCE_SPOOL=str(outbox))
    bodies = [body for folder in outbox.iterdir() if folder.is_dir() for body in _bodies(folder)]
    groups = [group for body in bodies for group in decode_request(body)]
    named = {group.resource.attributes.get(semconv.DOCUMENT_HASH) for group in groups}
    root = next(group for group in groups if group.spans)
    assert root.resource.attributes[semconv.METADATA_PREFIX + semconv.MANIFEST] in named


def _bodies(folder: Path):
    return [line for chunk in read_segments(folder) for line in chunk.lines]
