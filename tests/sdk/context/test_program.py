"""The source's name of scripts, modules, commands, test runs, workers, functions: each one run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

from otlp_sink import Sink
from program_runs import (
    BRANCH,
    NAME,
    SCRIPTS,
    TYPE,
    find_resource,
    make_environment,
    make_repository,
    run_to_end,
    running,
)

ASK = "from shop.asking import ask; import whence; ask(); whence.flush()"


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    return make_repository(tmp_path_factory.mktemp("programs"))


@pytest.fixture
def run(repository: Path, sink: Sink, tmp_path: Path):
    """Run Python with these words in the repository, and return the resource of its trace."""

    def run(*words: str, cwd: Path = repository, given: str | None = None, **env: str):
        variables = make_environment(sink, tmp_path, **env)
        run_to_end([sys.executable, *words], cwd, variables, given)
        return find_resource(sink)

    return run


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("script.py", "script.py"),
        ("./script.py --verbose", "script.py"),
        ("-m script", "script"),
        ("-X dev -Wignore -um shop.cli", "shop.cli"),
        ("-m shop", "shop"),
        ("-m shop spawn", "shop"),
        ("-m shop forkserver", "shop"),
        ("-Wignore -m shop fork", "shop"),
        ("shop/cli.py spawn", "shop/cli.py"),
        ("-m shop.cli spawn", "shop.cli"),
        ("-m cProfile -o {tmp}/profile script.py", "script.py"),
        ("carried.py", "carried.py"),
        ("-m pdb -c continue -c quit script.py", "script.py"),
        ("-m IPython --quick flushing.py", "flushing.py"),
    ],
)
def test_a_program_is_named_as_it_was_started(run, tmp_path: Path, words: str, name: str):
    environment = {"PYTHONPATH": "."} if name == "shop/cli.py" else {}
    resource = run(*words.replace("{tmp}", str(tmp_path)).split(), **environment)
    assert resource[NAME] == name
    assert resource[TYPE] == "LOCAL"
    assert resource[BRANCH] == "shop-main"


@pytest.mark.parametrize(
    ("words", "given", "name"),
    [
        (["-c", ASK], None, "-c"),
        (["-"], ASK, "-"),
        (["-q", "-i"], ASK + "\n", "<console>"),
        (["-c", "import runpy; runpy.run_module('flushing', run_name='__main__', alter_sys=True)"], None, "flushing"),
        (["-c", "import runpy; runpy.run_path('flushing.py', run_name='__main__')"], None, "flushing.py"),
    ],
)  # fmt: skip
def test_code_without_a_file_keeps_pythons_words(run, words: list[str], given: str, name: str):
    assert run(*words, given=given)[NAME] == name


@pytest.mark.parametrize("last", ["ask()", ASK])
def test_a_script_that_went_to_a_folder_that_is_gone_keeps_its_name(
    run, repository: Path, last: str
):
    """Also if its trace is only sent when it has ended."""
    leave = "import os, tempfile; os.chdir(tempfile.mkdtemp()); os.rmdir(os.getcwd())"
    lines = ("from shop.asking import ask", "import whence.sdk.runtime", leave, last)
    (repository / "leaving.py").write_text("\n".join(lines))
    resource = run("leaving.py", PYTHONPATH=str(repository))
    assert (resource[NAME], resource[BRANCH]) == ("leaving.py", "shop-main")


def test_a_name_that_is_no_text_is_recorded_with_marks(run, repository: Path):
    script = os.fsencode(repository) + b"/caf\xe9.py"
    Path(os.fsdecode(script)).write_text(ASK)
    assert re.fullmatch(
        r"caf[?\N{REPLACEMENT CHARACTER}]\.py", run(os.fsdecode(b"caf\xe9.py"))[NAME]
    )


def test_a_script_from_another_folder_is_named_from_its_repositorys_top(run, repository, tmp_path):
    resource = run(str(repository / "script.py"), cwd=tmp_path)
    assert (resource[NAME], resource[BRANCH]) == ("script.py", "shop-main")


def test_a_package_of_an_environment_variable_is_found_from_another_folder(
    run, repository: Path, tmp_path: Path
):
    resource = run("-m", "shop.cli", cwd=tmp_path, PYTHONPATH=str(repository))
    assert (resource[NAME], resource[BRANCH]) == ("shop.cli", "shop-main")


def test_a_zip_archive_is_named_by_its_path(run, repository: Path, tmp_path: Path):
    content = tmp_path / "content"
    content.mkdir()
    (content / "__main__.py").write_text("from shop.cli import main; main()")
    archive = repository / "shop.pyz"
    zipapp.create_archive(content, archive)
    resource = run("shop.pyz", PYTHONPATH=".")
    assert (resource[NAME], resource[BRANCH]) == ("shop.pyz", "shop-main")


def test_an_unpacked_pex_is_named_by_its_file(run, repository: Path, tmp_path: Path):
    """Played: a folder like the one that a PEX unpacks itself into."""
    unpacked = tmp_path / "pex" / "unzipped_pexes" / "0a1b"
    unpacked.mkdir(parents=True)
    (unpacked / "__main__.py").write_text("from shop.cli import main; main()")
    (unpacked / "PEX-INFO").touch()
    (repository / "shop.pex").touch()
    resource = run(str(unpacked / "__main__.py"), PYTHONPATH=".", PEX=str(repository / "shop.pex"))
    assert resource[NAME] == "shop.pex"


def test_a_frozen_program_is_named_by_its_executable(run, repository: Path):
    """Played: what PyInstaller's loader sets is set by the program."""
    executable = repository / "dist" / "shop-app"
    executable.parent.mkdir(exist_ok=True)
    executable.touch()
    frozen = f"import sys; sys.frozen = True; sys.executable = {str(executable)!r}; sys.argv = [sys.executable]; "
    resource = run("-c", frozen + ASK)
    assert (resource[NAME], resource[BRANCH]) == ("shop-app", "shop-main")


@pytest.fixture(scope="module")
def environments(repository: Path, tmp_path_factory) -> dict[str, Path]:
    """Two virtual environments: with the shop installed, and with the shop's folder linked."""
    made = {}
    for kind, options in {"installed": [], "editable": ["--editable"]}.items():
        folder = tmp_path_factory.mktemp("venv") / kind
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (library,) = folder.glob("lib/python*/site-packages")
        # The environment borrows what the tests run with, the build tool too.
        outer = next(one for one in sys.path if one.endswith("site-packages"))
        source = Path(__file__).parents[3] / "src"
        (library / "borrowed.pth").write_text(f"{source}\n{outer}\n")
        subprocess.run(
            ["uv", "pip", "install", "-q", "--offline", "--no-deps", "--no-build-isolation",
             "--python", folder / "bin" / "python", *options, repository],
            check=True,
            env={**os.environ, "WHENCE_SKIP_UI": "1"},
        )  # fmt: skip
        made[kind] = folder
    return made


@pytest.mark.parametrize(
    ("kind", "words", "branch"),
    [("installed", [], None), ("editable", [], "shop-main"), ("editable", ["spawn"], "shop-main")],
)
def test_a_console_script_is_named_by_its_command(
    environments, sink: Sink, tmp_path: Path, kind: str, words: list[str], branch: str | None
):
    script = environments[kind] / "bin" / "ask-shop"
    run_to_end([str(script), *words], tmp_path, make_environment(sink, tmp_path))
    resource = find_resource(sink)
    assert (resource[NAME], resource.get(BRANCH)) == ("ask-shop", branch)


def test_a_console_script_that_uv_runs_is_named_by_its_command(
    environments, sink: Sink, tmp_path: Path
):
    env = make_environment(sink, tmp_path, VIRTUAL_ENV=str(environments["editable"]))
    words = ["uv", "run", "--offline", "--no-project", "--active", "ask-shop"]
    run_to_end(words, tmp_path, env)
    resource = find_resource(sink)
    assert (resource[NAME], resource[BRANCH]) == ("ask-shop", "shop-main")


def test_a_linked_console_script_is_named_by_its_command(environments, sink: Sink, tmp_path: Path):
    """As pipx and `uv tool` link it into a folder on the path."""
    (tmp_path / "ask-shop").symlink_to(environments["installed"] / "bin" / "ask-shop")
    run_to_end([str(tmp_path / "ask-shop")], tmp_path, make_environment(sink, tmp_path))
    assert find_resource(sink)[NAME] == "ask-shop"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("checks/shop_checks.py::test_it_answers", "checks/shop_checks.py"),
        ("-q --rootdir . checks -o python_files=*_checks.py", "checks"),
        ("-o python_files=*_checks.py", "pytest"),
        ("-n 1 --dist loadfile checks/shop_checks.py", "checks/shop_checks.py"),
    ],
)
def test_a_test_run_is_named_by_what_it_collects(run, words: str, name: str):
    resource = run("-m", "pytest", "-p", "no:cacheprovider", *words.split())
    assert (resource[NAME], resource[TYPE]) == (name, "LOCAL")


def test_a_test_run_in_ci_is_a_job(run):
    assert run("-m", "pytest", "checks/shop_checks.py", CI="true")[TYPE] == "JOB"


@pytest.mark.parametrize(
    "words",
    [
        ["celery", "-A", "shop.tasks", "worker", "-P", "prefork", "-c", "1"],
        pytest.param(
            ["python", "-m", "celery", "--app=shop.tasks", "worker", "-c", "1"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_celery_worker_is_named_by_its_application(
    repository: Path, sink: Sink, tmp_path: Path, words: list[str]
):
    queue = tmp_path / "queue"
    (queue / "control").mkdir(parents=True)
    env = make_environment(sink, tmp_path, QUEUE=str(queue))
    send = "from shop.tasks import ask_later; ask_later.delay()"
    run_to_end([sys.executable, "-c", send], repository, env)
    with running([str(SCRIPTS / words[0]), *words[1:]], repository, env):
        resource = find_resource(sink)
    assert resource[NAME] == "shop.tasks"
    assert (resource[TYPE], resource[BRANCH]) == ("LOCAL", "shop-main")


@pytest.mark.parametrize(
    ("env", "name", "branch"),
    [
        ({"AWS_LAMBDA_FUNCTION_NAME": "shop", "_HANDLER": "shop.asking.ask"}, "shop.asking.ask", "shop-main"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "shop", "_HANDLER": "datadog_lambda.handler.handler",
          "DD_LAMBDA_HANDLER": "shop/asking.ask"}, "shop/asking.ask", "shop-main"),
        ({"AIRFLOW_CTX_DAG_ID": "daily", "AIRFLOW_CTX_TASK_ID": "ask"}, "daily.ask", None),
        ({"DAGSTER_RUN_JOB_NAME": "daily_job"}, "daily_job", None),
        ({"PREFECT__FLOW_RUN_ID": "1", "PREFECT__FLOW_ENTRYPOINT": "{code}/script.py:ask"}, "{code}/script.py:ask", "shop-main"),
        ({"FUNCTION_TARGET": "ask", "K_SERVICE": "shop", "FUNCTION_SOURCE": "{code}/script.py"}, "ask", "shop-main"),
        ({"FUNCTIONS_WORKER_RUNTIME": "python", "WEBSITE_SITE_NAME": "shop-functions"}, "shop-functions", None),
    ],
)  # fmt: skip
def test_a_function_that_a_platform_calls_is_named_by_its_handler(
    run, repository: Path, tmp_path: Path, env: dict[str, str], name: str, branch: str | None
):
    """The platform is played by an installed module that calls the function."""
    library = tmp_path / "site-packages"
    library.mkdir()
    (library / "platform_caller.py").write_bytes((repository / "platform_caller.py").read_bytes())
    env = {key: value.replace("{code}", str(repository)) for key, value in env.items()}
    more = {
        "CODE": str(repository),
        "CALLS": "shop.asking.ask",
        "LAMBDA_TASK_ROOT": str(repository),
    }
    resource = run("-m", "platform_caller", cwd=tmp_path, PYTHONPATH=str(library), **more, **env)
    assert resource[NAME] == name.replace("{code}", str(repository))
    assert (resource[TYPE], resource.get(BRANCH)) == ("JOB", branch)


def test_a_script_that_a_task_starts_keeps_its_name(run):
    resource = run("script.py", AIRFLOW_CTX_DAG_ID="daily", AIRFLOW_CTX_TASK_ID="ask")
    assert (resource[NAME], resource[TYPE]) == ("script.py", "JOB")


@pytest.mark.parametrize(
    "words",
    [
        "uvicorn --reload --app-dir {repository} shop.web:app",
        "granian --working-dir={repository} {repository}/shop/web.py",
        "gunicorn --pythonpath {repository} store_site.wsgi",
    ],
)
def test_an_application_that_is_not_loaded_is_looked_up_without_importing_it(
    run, repository: Path, tmp_path: Path, words: str
):
    """As in the parent of a server's workers. Played: only the command line is the launcher's."""
    argv = [f"{sys.prefix}/bin/{words}".split()[0], *words.split()[1:]]
    code = f"""
import sys
sys.path.insert(0, {str(repository)!r})
from shop.asking import ask
sys.path.pop(0)
sys.argv = {[word.replace("{repository}", str(repository)) for word in argv]!r}
import whence
ask()
whence.flush()
assert not {{"shop.web", "store_site"}} & set(sys.modules)
"""
    assert run("-c", code, cwd=tmp_path)[BRANCH] == "shop-main"


@pytest.mark.parametrize(
    ("play", "name"),
    [
        ("sys.modules['uwsgi'] = types.SimpleNamespace(opt={'module': b'shop.web:wsgi'})", "shop.web:wsgi"),
        ("sys.modules['uwsgi'] = types.SimpleNamespace(opt={'wsgi-file': b'shop/web.py'})", "shop/web.py"),
        ("sys.modules['mod_wsgi'] = types; sys.modules['_mod_wsgi_0a'] = types.SimpleNamespace(__file__='shop/web.py')", "shop/web.py"),
    ],
)  # fmt: skip
def test_a_web_server_that_embeds_python_offers_the_application(run, play: str, name: str):
    """Played: the modules that uWSGI and mod_wsgi add."""
    resource = run("-c", f"import sys, types; {play}; {ASK}")
    assert (resource[NAME].split("repository/")[-1], resource[BRANCH]) == (name, "shop-main")


def test_gunicorns_application_is_found_where_workers_switch_stacks(run):
    """Played: the worker whose method handles a signal, as in gevent's, without its stack."""
    play = f"""
import signal, sys, types
class Worker:
    app = types.SimpleNamespace(app_uri="shop.web:wsgi")
    def handle_usr1(self, number, frame): ...
signal.signal(signal.SIGUSR1, Worker().handle_usr1)
sys.argv = [{sys.prefix + "/bin/gunicorn"!r}]
"""
    assert run("-c", play + ASK)[NAME] == "shop.web:wsgi"


PLAYED_MLFLOW = """
import sys, types
def run(name, time): return types.SimpleNamespace(info=types.SimpleNamespace(run_id=name, start_time=time))
opened = {1: [run("a", 1)], 2: [run("b", 3), run("c", 2)]}
stack = types.SimpleNamespace(get_all_thread_values=lambda: opened)
sys.modules["mlflow.tracking.fluent"] = types.SimpleNamespace(_active_run_stack=stack)
"""


def find_run(sink: Sink) -> str | None:
    sink.wait_for("ask")
    (span,) = (one for one in sink.spans() if one.name == "ask")
    return span.attributes.get("whence.metadata.mlflow.sourceRun")


@pytest.mark.parametrize(
    ("before", "run_id"),
    [
        (PLAYED_MLFLOW, "b"),
        (PLAYED_MLFLOW + "opened.clear()", None),
        (PLAYED_MLFLOW + "del stack.get_all_thread_values", None),
        (PLAYED_MLFLOW + "import whence; whence.configure(metadata={'mlflow.sourceRun': 'mine'})", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_trace_names_the_run_that_a_loaded_mlflow_has_open(run, sink: Sink, before: str, run_id):
    """Played: MLflow's list of open runs, with runs in two threads; the latest is the trace's."""
    run("-c", f"{before}\n{ASK}\nimport sys; assert 'mlflow' not in sys.modules")
    assert find_run(sink) == run_id


@pytest.mark.parametrize(
    ("env", "name", "kind"),
    [
        ({"WHENCE_SOURCE_NAME": "nightly", "WHENCE_SOURCE_TYPE": "job"}, "nightly", "JOB"),
        ({"MLFLOW_RUN_CONTEXT": '{"mlflow.source.name": "a", "mlflow.source.type": "UNKNOWN"}'}, "a", "UNKNOWN"),
    ],
)  # fmt: skip
def test_what_the_user_says_is_stronger_than_what_is_found(run, env: dict, name: str, kind: str):
    resource = run("script.py", **env)
    assert (resource[NAME], resource[TYPE]) == (name, kind)


def test_what_the_program_declares_is_stronger_than_what_is_found(run):
    declared = "import whence; whence.configure(metadata={'mlflow.source.type': 'JOB'})\n"
    assert run("-c", declared + ASK)[TYPE] == "JOB"
