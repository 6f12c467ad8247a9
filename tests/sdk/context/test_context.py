"""What a program says of itself without being told: real programs, run in real repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_repositories import git

REPORT = """
import json, sys
from whence.sdk.context import process as context
print(json.dumps([[e.key, e.value, e.source, [o.value for o in e.overridden]] for e in context.describe()]))
print(json.dumps(context.resource_attributes()))
"""
SHA = "0123456789abcdef0123456789abcdef01234567"


class Report:
    """What one process found."""

    def __init__(self, text: str) -> None:
        entries, self.resource = (json.loads(line) for line in text.splitlines()[-2:])
        self.values = {key: value for key, value, _, _ in entries if value is not None}
        self.sources = {key: source for key, _, source, _ in entries}
        self.overridden = {key: values for key, _, _, values in entries}

    def told(self) -> dict[str, str]:
        """What it says beyond the facts of the machine that the tests run on."""
        facts = ("host.", "process.", "os.", "container.", "k8s.", "cloud.")
        return {key: value for key, value in self.values.items() if not key.startswith(facts)}


def run(*words: str, cwd: Path, given: str | None = None, **env: str) -> Report:
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "USER": "ann", **env},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Report(done.stdout)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", "https://ann:s3cr3t@example.com/team/app.git")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").touch()
    (folder / "shop" / "main.py").write_text(REPORT)
    (folder / "shop" / "__main__.py").write_text(REPORT)
    return folder


def test_a_script_in_a_repository_knows_its_code(app: Path):
    report = run("shop/main.py", cwd=app)
    assert report.values["mlflow.source.git.commit"] == git(app, "rev-parse", "HEAD")
    assert report.values["mlflow.source.git.branch"] == "main"
    assert report.values["mlflow.source.git.repoURL"] == "https://example.com/team/app.git"
    assert report.values["mlflow.source.name"] == "shop/main.py"
    assert report.values["mlflow.source.type"] == "LOCAL"
    assert report.values["mlflow.user"] == "ann"
    assert report.sources["mlflow.source.git.commit"] == ".git"


def test_the_resource_uses_opentelemetrys_names_where_there_are_any(app: Path):
    resource = run("shop/main.py", cwd=app, APP_VERSION="2.1.0", ENVIRONMENT="Prod").resource
    assert resource["vcs.ref.head.revision"] == git(app, "rev-parse", "HEAD")
    assert resource["vcs.ref.head.name"] == "main"
    assert resource["vcs.repository.url.full"] == "https://example.com/team/app.git"
    assert resource["service.version"] == "2.1.0"
    assert resource["deployment.environment.name"] == "Prod"
    assert resource["whence.metadata.mlflow.source.name"] == "shop/main.py"
    assert resource["whence.metadata.mlflow.user"] == "ann"
    assert resource["telemetry.sdk.name"] == "whence"
    assert resource["telemetry.sdk.language"] == "python"
    assert resource["telemetry.sdk.version"]


def test_the_repository_is_the_scripts_and_not_the_current_folders(app: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q", "-b", "elsewhere")
    report = run(str(app / "shop" / "main.py"), cwd=other)
    assert report.values["mlflow.source.git.branch"] == "main"
    assert report.values["mlflow.source.name"] == "shop/main.py"


def test_a_script_outside_any_repository_uses_the_current_folders(app: Path, tmp_path: Path):
    script = tmp_path / "loose.py"
    script.write_text(REPORT)
    report = run(str(script), cwd=app)
    assert report.values["mlflow.source.git.branch"] == "main"
    assert report.sources["mlflow.source.git.branch"] == ".git (current folder)"
    assert report.values["mlflow.source.name"] == str(script)


def test_what_is_unknown_is_absent_and_says_where_was_looked(tmp_path: Path):
    script = tmp_path / "loose.py"
    script.write_text(REPORT)
    report = run("loose.py", cwd=tmp_path)
    assert set(report.told()) == {"mlflow.source.name", "mlflow.source.type", "mlflow.user"}
    assert "" not in report.resource.values()
    looked_at = report.sources["app_version"].split(", ")
    assert looked_at[:2] == ["configure()", "env WHENCE_APP_VERSION"]
    assert looked_at[-3:] == ["package metadata", "pyproject.toml", "git describe"]
    assert ".git" in report.sources["mlflow.source.git.branch"].split(", ")


def test_a_module_is_named_as_it_was_started(app: Path):
    assert run("-m", "shop.main", cwd=app).values["mlflow.source.name"] == "shop.main"
    report = run("-m", "shop", cwd=app)
    assert report.values["mlflow.source.name"] == "shop"
    assert report.sources["mlflow.source.name"] == "python -m"


def test_a_command_line_and_standard_input_keep_pythons_words(app: Path):
    assert run("-c", REPORT, cwd=app).values["mlflow.source.name"] == "-c"
    report = run("-", cwd=app, given=REPORT)
    assert report.values["mlflow.source.name"] == "-"
    assert report.values["mlflow.source.git.branch"] == "main"


def test_a_console_script_is_named_without_its_folder(app: Path):
    scripts = app / ".venv" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "shop").write_text(REPORT)
    code = f"import runpy, sys; sys.prefix = {str(app / '.venv')!r}; sys.argv = [{str(scripts / 'shop')!r}]\n"
    launcher = app / "launch.py"
    launcher.write_text(
        f"{code}\nmain = sys.modules['__main__']; main.__file__ = sys.argv[0]\nexec(open(sys.argv[0]).read())\n"
    )
    assert run("launch.py", cwd=app).values["mlflow.source.name"] == "shop"


SERVED = (
    """
import sys
sys.argv = {argv!r}
"""
    + REPORT
)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/venv/bin/uvicorn", "shop.main:app", "--port", "80"], "shop.main:app"),
        (["/venv/bin/gunicorn", "-b", "0.0.0.0:80", "shop.main:make_app()"], "shop.main:make_app()"),
        (["/venv/bin/uvicorn", "--host", "localhost:80"], "/venv/bin/uvicorn"),
        (["/venv/bin/streamlit", "run", "shop/page.py"], "shop/page.py"),
    ],
)  # fmt: skip
def test_behind_a_server_the_application_is_named(app: Path, argv: list[str], name: str):
    assert run("-c", SERVED.format(argv=argv), cwd=app).values["mlflow.source.name"] == name


def test_a_real_uvicorn_worker_names_the_application(app: Path):
    (app / "shop" / "web.py").write_text(
        "import os\n"
        + REPORT.replace("\nprint", "\nprint", 1)
        + "sys.stdout.flush(); os._exit(0)\nasync def app(scope, receive, send): ...\n"
    )
    report = run("-m", "uvicorn", "shop.web:app", "--port", "0", cwd=app, PYTHONPATH=str(app))
    assert report.values["mlflow.source.name"] == "shop.web:app"
    assert report.values["mlflow.source.git.branch"] == "main"


def test_a_notebook_is_named_by_what_the_editor_or_jupyter_tells(app: Path):
    kernel = (
        """
import sys, types
class ZMQInteractiveShell: user_ns = {}
class Shell(ZMQInteractiveShell): pass
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: Shell())
"""
        + REPORT
    )
    report = run("-c", kernel, cwd=app)
    assert report.values["mlflow.source.type"] == "NOTEBOOK"
    assert "mlflow.source.name" not in report.values
    report = run("-c", kernel, cwd=app, JPY_SESSION_NAME=str(app / "shop" / "a.ipynb"))
    assert report.values["mlflow.source.name"] == "shop/a.ipynb"
    editor = kernel.replace("user_ns = {}", "user_ns = {'__vsc_ipynb_file__': 'b.ipynb'}")
    assert run("-c", editor, cwd=app).values["mlflow.source.name"] == "b.ipynb"


@pytest.mark.parametrize("name", ["CI", "AWS_LAMBDA_FUNCTION_NAME", "SLURM_JOB_ID"])
def test_where_no_person_sits_it_is_a_job(app: Path, name: str):
    assert run("shop/main.py", cwd=app, **{name: "1"}).values["mlflow.source.type"] == "JOB"
    assert run("shop/main.py", cwd=app, **{name: "false"}).values["mlflow.source.type"] == "LOCAL"


@pytest.mark.parametrize(
    ("env", "key", "value", "source"),
    [
        ({"WHENCE_ENVIRONMENT": "a", "ENVIRONMENT": "b"}, "environment", "a", "env WHENCE_ENVIRONMENT"),
        ({"DEPLOYMENT_ENVIRONMENT": "a"}, "environment", "a", "env DEPLOYMENT_ENVIRONMENT"),
        ({"APP_ENVIRONMENT": " staging "}, "environment", "staging", "env APP_ENVIRONMENT"),
        ({"WHENCE_APP_VERSION": "", "APP_VERSION": "3"}, "app_version", "3", "env APP_VERSION"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.version=3%2C1,x=y", "APP_VERSION": "4"}, "app_version", "3,1",
         "env OTEL_RESOURCE_ATTRIBUTES (service.version)"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=qa"}, "environment", "qa",
         "env OTEL_RESOURCE_ATTRIBUTES (deployment.environment)"),
        ({"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x"}, "service.name", "shop",
         "env OTEL_SERVICE_NAME"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=p1"}, "k8s.pod.name", "p1",
         "env OTEL_RESOURCE_ATTRIBUTES (k8s.pod.name)"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "squad=blue"}, "squad", "blue", "env OTEL_RESOURCE_ATTRIBUTES"),
        ({"GIT_COMMIT": SHA.upper()}, "mlflow.source.git.commit", SHA, "env GIT_COMMIT"),
        ({"GIT_SHA": SHA[:7]}, "mlflow.source.git.commit", SHA[:7], "env GIT_SHA"),
        ({"GIT_BRANCH": "refs/heads/a/b"}, "mlflow.source.git.branch", "a/b", "env GIT_BRANCH"),
        ({"GIT_URL": "https://x:tok@example.com/a"}, "mlflow.source.git.repoURL", "https://example.com/a",
         "env GIT_URL"),
        ({"WHENCE_METADATA_SQUAD": "blue"}, "squad", "blue", "env WHENCE_METADATA_SQUAD"),
        ({"WHENCE_METADATA_SHOP__LANE": "2"}, "shop.lane", "2", "env WHENCE_METADATA_SHOP__LANE"),
        ({"WHENCE_METADATA_MLFLOW__SOURCE__GIT__REPOURL": "https://example.com/b"}, "mlflow.source.git.repoURL",
         "https://example.com/b", "env WHENCE_METADATA_MLFLOW__SOURCE__GIT__REPOURL"),
        ({"WHENCE_METADATA_VCS__REPOSITORY__URL__FULL": "https://u:secret@example.com/c"}, "mlflow.source.git.repoURL",
         "https://example.com/c", "env WHENCE_METADATA_VCS__REPOSITORY__URL__FULL"),
        ({"WHENCE_METADATA_SERVICE__VERSION": "3.1"}, "app_version", "3.1",
         "env WHENCE_METADATA_SERVICE__VERSION"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team%20name=a%2Cb"}, "team name", "a,b", "env OTEL_RESOURCE_ATTRIBUTES"),
        ({"WHENCE_METADATA_ENVIRONMENT": "a", "ENVIRONMENT": "b"}, "environment", "a",
         "env WHENCE_METADATA_ENVIRONMENT"),
        ({"DEPLOYMENT_ID": "d-1"}, "deployment_id", "d-1", "env DEPLOYMENT_ID"),
        ({"AWS_REGION": "eu-west-1"}, "region", "eu-west-1", "env AWS_REGION"),
        ({"GIT_BRANCH": "origin/main"}, "mlflow.source.git.branch", "main", "env GIT_BRANCH"),
        ({"MLFLOW_RUN_ID": "r1"}, "mlflow.sourceRun", "r1", "env MLFLOW_RUN_ID"),
        ({"MLFLOW_TRACKING_USERNAME": "bob"}, "mlflow.user", "bob", "env MLFLOW_TRACKING_USERNAME"),
        ({"MLFLOW_RUN_CONTEXT": '{"mlflow.source.name": "job-7", "other": "x"}'}, "mlflow.source.name", "job-7",
         "env MLFLOW_RUN_CONTEXT"),
        ({"MLFLOW_RUN_CONTEXT": f'{{"mlflow.source.git.commit": "{SHA}"}}'}, "mlflow.source.git.commit", SHA,
         "env MLFLOW_RUN_CONTEXT"),
    ],
)  # fmt: skip
def test_a_variable_says_it(app: Path, env: dict[str, str], key: str, value: str, source: str):
    report = run("shop/main.py", cwd=app, **env)
    assert (report.values[key], report.sources[key]) == (value, source)
    assert "other" not in report.values


@pytest.mark.parametrize(
    ("env", "key"),
    [
        ({"GIT_BRANCH": "refs/tags/v1"}, "mlflow.source.git.branch"),
        ({"GIT_BRANCH": "HEAD"}, "mlflow.source.git.branch"),
        ({"GIT_COMMIT": "HEAD"}, "mlflow.source.git.commit"),
        ({"GIT_COMMIT": "0" * 40}, "mlflow.source.git.commit"),
        ({"GIT_COMMIT": "unknown"}, "mlflow.source.git.commit"),
        ({"APP_VERSION": " \t"}, "app_version"),
        ({"WHENCE_METADATA_": "x"}, ""),
        ({"MLFLOW_RUN_CONTEXT": "{"}, "mlflow.source.name"),
        ({"MLFLOW_RUN_CONTEXT": "[1]"}, "mlflow.source.name"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.version,=,=x,a="}, "app_version"),
    ],
)
def test_a_variable_that_cannot_be_read_says_nothing(tmp_path: Path, env: dict[str, str], key: str):
    script = tmp_path / "loose.py"
    script.write_text(REPORT)
    assert run("loose.py", cwd=tmp_path, **env).values.get(key) in (None, "loose.py")


def test_a_declaration_beats_a_variable_which_beats_git(app: Path):
    declare = (
        """
import whence
whence.configure(app_version="9", metadata={"mlflow.source.git.branch": "declared", "team": "blue"})
"""
        + REPORT
    )
    report = run("-c", declare, cwd=app, APP_VERSION="1", GIT_BRANCH="from-env")
    assert report.values["app_version"] == "9"
    assert report.overridden["app_version"] == ["1"]
    assert report.sources["app_version"] == "configure()"
    assert report.values["mlflow.source.git.branch"] == "declared"
    assert report.overridden["mlflow.source.git.branch"] == ["from-env", "main"]
    assert report.resource["whence.metadata.team"] == "blue"


def test_a_declared_address_loses_its_credentials_too(app: Path):
    declare = (
        """
import whence
whence.configure(metadata={"mlflow.source.git.repoURL": "https://a:b@example.com/c"})
"""
        + REPORT
    )
    url = run("-c", declare, cwd=app).values["mlflow.source.git.repoURL"]
    assert url == "https://example.com/c"


def test_it_is_resolved_once_and_again_after_a_declaration_or_a_fork(app: Path):
    program = (
        """
import os, whence
from whence.sdk.context import process as context
first = context.resolve()
assert context.resolve() is first
whence.configure(app_version="2")
second = context.resolve()
assert second is not first
os.environ["REGION"] = "eu"
assert context.resolve() is second
child = os.fork()
if child == 0:
    os._exit(0 if context.resource_attributes().get("cloud.region") == "eu" else 1)
assert os.waitpid(child, 0)[1] == 0
context.resource_attributes().clear()
assert context.resource_attributes()
"""
        + REPORT
    )
    assert (
        run("-W", "ignore::DeprecationWarning", "-c", program, cwd=app).values["app_version"] == "2"
    )


def test_many_threads_may_ask_at_once(app: Path):
    program = (
        """
from concurrent.futures import ThreadPoolExecutor
from whence.sdk.context import process as context
with ThreadPoolExecutor(16) as pool:
    answers = list(pool.map(lambda _: context.resource_attributes(), range(64)))
assert all(answer == answers[0] for answer in answers)
"""
        + REPORT
    )
    assert run("-c", program, cwd=app).values["mlflow.source.git.branch"] == "main"


def test_a_process_without_a_folder_a_name_or_arguments_still_answers(tmp_path: Path):
    program = (
        """
import json, os, sys
from whence.sdk.context import process as context
context.resolve()  # loads what a user without rights can't
context.forget()
os.rmdir(os.getcwd())
del sys.argv
os.environ.pop("USER")
os.setuid(54321) if os.geteuid() == 0 else None
"""
        + REPORT
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    told = run("-c", program, cwd=gone).told()
    told.pop("mlflow.user", None)  # where the tests don't run as root
    assert told == {"mlflow.source.type": "UNKNOWN"}
