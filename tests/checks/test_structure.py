"""The shape of the code: layers, cycles, sizes, docstrings."""

from __future__ import annotations

import ast
import subprocess

import pytest
from source_tree import ROOT, Module, read_modules

MODULES = read_modules()

# What each layer may import, besides itself and the ground. `sdk` and the server's side never meet.
GROUND = {"errors", "semconv", "left_out", "entities"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "semconv": set(),
    "left_out": set(),
    "entities": {"errors", "semconv", "left_out"},
    "otlp": GROUND,
    "sdk": GROUND | {"otlp"},
    "store": GROUND | {"otlp"},
    "ingest": GROUND | {"otlp", "store"},
    "query": GROUND | {"otlp", "store", "ingest"},
    "analysis": GROUND | {"otlp", "store", "ingest", "query"},
    "server": GROUND | {"otlp", "store", "ingest", "query", "analysis"},
    "": GROUND | {"sdk", "client", "exceptions", "tracing", "tracking", "web"},
    "client": GROUND | {"sdk"},
    "exceptions": {"errors"},
    "tracking": {"client"},
    "tracing": GROUND | {"sdk"},
    "web": {"sdk"},
    "testing": GROUND | {"sdk", "otlp", "tracing"},
    # The command line reads over HTTP as any client does; only `whence server` runs the server.
    "moves": GROUND | {"otlp", "sdk"},
    "cli": GROUND | {"sdk", "otlp", "moves", "server", "tracing", "demo", ""},
    "demo": GROUND | {"sdk", "otlp", "tracing", "cli", ""},
    "__main__": {"cli"},
}


# What is asked of databases that are not ours.
FOREIGN_SQL = {"whence.moves.mlflow.database", "whence.moves.mlflow.connection"}


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.name)
def test_imports_point_down(module: Module):
    layer = layer_of(module.name)
    assert layer in MAY_IMPORT, f"{module.where}: the layer {layer!r} has no place in MAY_IMPORT"
    allowed = MAY_IMPORT[layer] | {layer}
    wrong = [
        f"{module.where}:{one.line} imports {one.target}"
        for one in module.imports
        if layer_of(one.target) not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_runs_in_a_circle():
    graph = {m.name: sorted({i.target for i in m.imports if i.at_load} - {m.name}) for m in MODULES}
    state: dict[str, int] = {}
    circles: list[str] = []

    def visit(name: str, path: list[str]) -> None:
        state[name] = 1
        for target in graph.get(name, ()):
            if state.get(target) == 1:
                circles.append(" → ".join([*path[path.index(target) :], target]))
            elif target not in state:
                visit(target, [*path, target])
        state[name] = 2

    for name in graph:
        if name not in state:
            visit(name, [name])
    assert not circles, "\n".join(circles)


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.name)
def test_a_module_says_what_it_is(module: Module):
    if module.path.name == "__init__.py" and not module.path.read_text().strip():
        return
    assert ast.get_docstring(module.tree), f"{module.where} has no docstring"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.name)
def test_a_function_fits_on_a_page(module: Module):
    long = [
        f"{module.where}:{node.lineno} {node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or 0) - node.lineno + 1 > 60
    ]
    assert not long, "\n".join(long)


def tracked_files() -> list[str]:
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    return [name for name in names if name and (ROOT / name).is_file()]


def test_no_source_file_is_over_five_hundred_lines():
    sources = [n for n in tracked_files() if n.endswith((".py", ".ts", ".tsx", ".css", ".sql"))]
    counts = {n: len((ROOT / n).read_text(encoding="utf-8").splitlines()) for n in sources}
    generated = {n for n in sources if n.endswith(".d.ts")}
    long = {n: c for n, c in counts.items() if c > 500 and n not in generated}
    assert not long, long


def test_no_file_names_a_package_registry():
    hosts = [
        b"pypi" + b".org",
        b"pythonhosted" + b".org",
        b"registry.npmjs" + b".org",
        b"img.shields" + b".io",
    ]
    found = []
    for name in tracked_files():
        data = (ROOT / name).read_bytes()
        found += [f"{name}: {host.decode()}" for host in hosts if host in data]
    assert not found, found


def test_sql_lives_in_store_and_query_only():
    words = ("SELECT ", "INSERT INTO ", "CREATE TABLE", "ALTER TABLE", "DELETE FROM ")
    wrong = []
    for module in MODULES:
        if layer_of(module.name) in {"store", "query"} or module.name in FOREIGN_SQL:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if any(text.lstrip().startswith(word) for word in words):
                    wrong.append(f"{module.where}:{node.lineno} {text[:40]!r}")
    assert not wrong, "\n".join(wrong)
