"""Who wins where several sources know a key, and which of them speak of the same code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_repositories import git
from whence import semconv
from whence.sdk.context import table
from whence.sdk.context.found import Found
from whence.sdk.context.identity import GROUPS, is_same_commit, settle
from whence.sdk.context.ranking import ContextEntry
from whence.sdk.context.survey import survey

COMMIT, BRANCH, URL = semconv.GIT_COMMIT, semconv.GIT_BRANCH, semconv.GIT_REPO_URL
OTHER = "0123456789abcdef0123456789abcdef01234567"
ADDRESS = "https://example.com/team/app.git"


@pytest.fixture(autouse=True)
def only_what_a_test_sets(monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name not in ("PATH", "HOME", "USER", "LANG"):
            monkeypatch.delenv(name)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A repository with one commit on `main`, and an address."""
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", ADDRESS)
    (folder / "app.py").touch()
    git(folder, "add", "app.py")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch):
    def know(folder: Path, **env: str) -> dict[str, ContextEntry]:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        context = survey(folder).context
        return {entry.key: entry for entry in (*context.entries, *context.missing)}

    return know


def said(entries: dict[str, ContextEntry]) -> tuple[str | None, str | None, str | None]:
    return entries[COMMIT].value, entries[BRANCH].value, entries[URL].value


def stamp(folder: Path, **fields: object) -> None:
    (folder / "whence-stamp.json").write_text(json.dumps(fields))


# --- One state of the code ------------------------------------------------------------------------


def test_the_programs_repository_beats_the_job_that_runs_it(app: Path, ask):
    entries = ask(
        app,
        GITHUB_ACTIONS="true",
        GITHUB_SHA=OTHER,
        GITHUB_REF="refs/heads/of-the-job",
        GITHUB_SERVER_URL="https://github.com",
        GITHUB_REPOSITORY="acme/jobs",
    )
    assert said(entries) == (git(app, "rev-parse", "HEAD"), "main", ADDRESS)
    assert [one.value for one in entries[BRANCH].set_aside] == ["of-the-job"]
    assert [one.value for one in entries[COMMIT].set_aside] == [OTHER]


def test_the_tag_of_a_job_for_other_code_is_no_version(app: Path, ask):
    env = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/tags/v9"}
    entries = ask(app, GITHUB_SHA=OTHER, **env)
    assert entries["app_version"].value is None
    assert [one.value for one in entries["app_version"].set_aside] == ["9"]
    assert ask(app, GITHUB_SHA=git(app, "rev-parse", "HEAD"), **env)["app_version"].value == "9"


def test_on_a_detached_head_the_job_names_the_branch_if_it_speaks_of_the_same_commit(
    app: Path, ask
):
    git(app, "branch", "also-here")
    git(app, "checkout", "-q", "--detach")
    head = git(app, "rev-parse", "HEAD")
    assert said(ask(app)) == (head, None, ADDRESS)
    job = {"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/release"}
    entries = ask(app, GITHUB_SHA=head, **job)
    assert said(entries) == (head, "release", ADDRESS)
    assert (entries[COMMIT].source, entries[BRANCH].source) == (".git", "env GITHUB_REF")
    assert said(ask(app, GITHUB_SHA=OTHER, **job)) == (head, None, ADDRESS)


@pytest.mark.parametrize(
    "event", [b"", b"{", b"[]", b'{"pull_request": {"head": {"sha": 1}}}', b"[" * 100_000]
)
def test_a_pull_requests_head_is_checked_out_beside_the_merge_that_is_built(
    app: Path, ask, tmp_path: Path, event: bytes
):
    git(app, "branch", "also-here")
    git(app, "checkout", "-q", "--detach")
    head = git(app, "rev-parse", "HEAD")
    payload = tmp_path / "event.json"
    job = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": OTHER, "GITHUB_REF": "refs/pull/5/merge"}
    job |= {"GITHUB_HEAD_REF": "feature", "GITHUB_EVENT_PATH": str(payload)}
    payload.write_bytes(event)
    assert said(ask(app, **job)) == (head, None, ADDRESS)
    payload.write_text(json.dumps({"pull_request": {"head": {"sha": head}}}))
    assert said(ask(app, **job)) == (head, "feature", ADDRESS)


def test_a_detached_head_at_one_branch_is_on_it(app: Path, ask):
    git(app, "checkout", "-q", "--detach")
    entries = ask(app)
    assert entries[BRANCH].value == "main"
    assert entries[BRANCH].source == ".git (the only branch at the commit)"


def test_the_head_of_a_merge_request_counts_beside_the_merge_that_is_built(app: Path, ask):
    git(app, "branch", "also-here")
    git(app, "checkout", "-q", "--detach")
    head = git(app, "rev-parse", "HEAD")
    entries = ask(
        app,
        GITLAB_CI="true",
        CI_COMMIT_SHA=OTHER,
        CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=head,
        CI_MERGE_REQUEST_SOURCE_BRANCH_NAME="fix-price",
    )
    assert said(entries) == (head, "fix-price", ADDRESS)


def test_a_branch_without_commits_takes_none_from_elsewhere(tmp_path: Path, ask):
    git(tmp_path, "init", "-q", "-b", "fresh")
    entries = ask(
        tmp_path, GITHUB_ACTIONS="true", GITHUB_SHA=OTHER, GITHUB_REF="refs/heads/of-the-job"
    )
    assert said(entries) == (None, "fresh", None)


def test_without_a_repository_the_job_is_all_that_is_known(tmp_path: Path, ask):
    entries = ask(
        tmp_path, GITHUB_ACTIONS="true", GITHUB_SHA=OTHER, GITHUB_REF="refs/heads/of-the-job"
    )
    assert said(entries) == (OTHER, "of-the-job", None)


def test_a_stated_commit_of_other_code_takes_nothing_from_the_repository(app: Path, ask):
    assert said(ask(app, WHENCE_COMMIT=OTHER)) == (OTHER, None, None)


def test_a_stated_commit_may_be_abbreviated(app: Path, ask):
    head = git(app, "rev-parse", "HEAD")
    assert said(ask(app, GIT_SHA=head[:8])) == (head[:8], "main", ADDRESS)


def test_a_stated_branch_needs_no_commit(app: Path, ask):
    head = git(app, "rev-parse", "HEAD")
    assert said(ask(app, GIT_BRANCH="mine")) == (head, "mine", ADDRESS)
    assert said(ask(app, WHENCE_BRANCH="ours")) == (head, "ours", ADDRESS)


def test_a_stamp_beats_the_repository_as_a_whole(app: Path, ask):
    stamp(app, commit=OTHER, branch="stamped", dirty=True, dirty_hash="a" * 40)
    entries = ask(app)
    assert said(entries) == (OTHER, "stamped", None)
    assert entries[semconv.GIT_DIRTY].value == "true"
    assert entries[semconv.GIT_DIRTY_HASH].value == "a" * 40
    assert entries[COMMIT].source == f"stamp {app / 'whence-stamp.json'}"


def test_the_dirtiness_of_other_code_is_not_taken(app: Path, ask):
    stamp(app, commit=OTHER, dirty=True, dirty_hash="a" * 40)
    entries = ask(app, WHENCE_COMMIT="f" * 40)
    assert entries[semconv.GIT_DIRTY].value is None
    assert semconv.GIT_DIRTY_HASH not in entries


@given(
    st.lists(
        st.tuples(
            st.sampled_from([group.sources[0] for group in GROUPS]),
            st.sampled_from([None, "a" * 40, "b" * 40, "a" * 7]),
            st.sampled_from([None, "one", "two"]),
            st.sampled_from([None, "u1", "u2"]),
        ),
        unique_by=lambda claim: claim[0],
    )
)
def test_commit_branch_and_address_never_speak_of_different_code(claims):
    evidence = {
        source: {
            key: Found(key, value, source)
            for key, value in ((COMMIT, commit), (BRANCH, branch), (URL, url))
            if value
        }
        for source, commit, branch, url in claims
    }
    commits = {source: commit for source, commit, _, _ in claims}
    own = {group.sources[0] for group in GROUPS if group.is_own}
    order = [group.sources[0] for group in GROUPS]
    chosen = settle(evidence).agreeing
    strongest = next((c for s in order if (c := commits.get(s))), None)
    if COMMIT in chosen:
        assert chosen[COMMIT][0].value == strongest
    for key in (BRANCH, URL):
        for found in chosen.get(key, ()):
            commit = commits[found.source]
            if commit is None:
                assert found.source in own or COMMIT not in chosen
            else:
                assert COMMIT in chosen and is_same_commit(commit, chosen[COMMIT][0].value)


def test_the_table_and_the_groups_order_the_sources_alike():
    order = [source for group in GROUPS for source in group.sources]
    for key in (COMMIT, BRANCH, URL):
        places = [order.index(source) for source in table.ROWS[key].sources]
        assert places == sorted(places), key


# --- One key --------------------------------------------------------------------------------------

SETTINGS = {  # source → what sets it; with a value of its own
    "env WHENCE_ENVIRONMENT": ("WHENCE_ENVIRONMENT", "by-whence"),
    table.CUSTOM: ("WHENCE_METADATA_ENVIRONMENT", "by-custom"),
    table.OTEL_ATTRIBUTES: ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=by-otel"),
    "env DEPLOYMENT_ENVIRONMENT": ("DEPLOYMENT_ENVIRONMENT", "by-deployment"),
    "env APP_ENVIRONMENT": ("APP_ENVIRONMENT", "by-app"),
    "env APP_ENV": ("APP_ENV", "by-env"),
    "env ENVIRONMENT": ("ENVIRONMENT", "by-environment"),
    table.STAMP: ("WHENCE_STAMP", "stamp.json"),
    table.PLATFORM: ("RAILWAY_ENVIRONMENT_NAME", "by-railway"),
}


@given(st.sets(st.sampled_from(list(SETTINGS)), min_size=1))
def test_the_first_source_of_the_tables_order_wins(tmp_path_factory, chosen: set[str]):
    folder = tmp_path_factory.mktemp("empty")
    (folder / "stamp.json").write_text('{"environment": "by-stamp"}')
    values = {source: value.rpartition("=")[2] for source, (_, value) in SETTINGS.items()}
    values[table.STAMP] = "by-stamp"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAILWAY_PROJECT_ID", "1")
        for source in chosen:
            name, value = SETTINGS[source]
            patch.setenv(name, str(folder / value) if source == table.STAMP else value)
        entries = {entry.key: entry for entry in survey(folder).context.entries}
    order = [source for source in table.ROWS["environment"].sources if source in chosen]
    entry = entries["environment"]
    assert entry.value == values[order[0]]
    assert [found.value for found in entry.overridden] == [values[source] for source in order[1:]]
    assert set(entry.asked).isdisjoint(chosen)


def test_a_version_comes_from_a_file_before_a_tag(app: Path, ask):
    git(app, "tag", "v0.9")
    assert ask(app)["app_version"].value == "0.9"
    (app / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1.0"\n')
    context = survey(app, app / "app.py").context
    entry = next(one for one in context.entries if one.key == "app_version")
    assert (entry.value, entry.source) == ("1.0", "pyproject.toml")
    assert [one.value for one in entry.overridden] == ["0.9"]
    assert ask(app, APP_VERSION="2.0")["app_version"].value == "2.0"


def test_a_region_for_aws_clients_is_weaker_than_where_the_platform_runs(tmp_path: Path, ask):
    assert ask(tmp_path, AWS_REGION="eu-west-1")["region"].value == "eu-west-1"
    entries = ask(tmp_path, FLY_APP_NAME="shop", FLY_REGION="ams")
    assert entries["region"].value == "ams"
    assert [one.value for one in entries["region"].overridden] == ["eu-west-1"]


def test_what_is_unknown_says_how_to_make_it_known(tmp_path: Path, ask):
    entry = ask(tmp_path)["app_version"]
    assert entry.value is None
    assert "APP_VERSION" in entry.fix and "whence stamp" in entry.fix
    assert "env APP_VERSION" in entry.asked


def test_a_known_key_says_which_stronger_sources_were_silent(tmp_path: Path, ask):
    entry = ask(tmp_path, APP_VERSION="3")["app_version"]
    assert entry.asked == (
        "configure()",
        "env WHENCE_APP_VERSION",
        "env WHENCE_METADATA_…",
        "env OTEL_RESOURCE_ATTRIBUTES",
    )


def test_a_variable_that_cannot_be_taken_at_its_word_is_named(app: Path, ask):
    entries = ask(app, GIT_COMMIT="HEAD", WHENCE_BRANCH="refs/tags/v1")
    assert said(entries) == (git(app, "rev-parse", "HEAD"), "main", ADDRESS)
    assert entries[COMMIT].reason == "env GIT_COMMIT says 'HEAD', which can't be taken"
    assert "refs/tags/v1" in entries[BRANCH].reason


def test_opentelemetrys_name_of_a_tag_is_no_branch(tmp_path: Path, ask):
    names = "vcs.ref.head.revision={},vcs.ref.head.name=v1,vcs.ref.head.type={}"
    assert said(ask(tmp_path, OTEL_RESOURCE_ATTRIBUTES=names.format(OTHER, "tag")))[1] is None
    entries = ask(tmp_path, OTEL_RESOURCE_ATTRIBUTES=names.format(OTHER, "branch"))
    assert said(entries) == (OTHER, "v1", None)


def test_a_tag_of_other_code_is_no_version(app: Path, ask):
    git(app, "tag", "v0.9")
    assert ask(app)["app_version"].value == "0.9"
    entry = ask(app, WHENCE_COMMIT=OTHER)["app_version"]
    assert entry.value is None
    assert [(one.value, one.source) for one in entry.set_aside] == [("0.9", ".git (tag)")]
