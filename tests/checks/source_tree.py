"""What the checks read: every module of the package, parsed, with what it imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


@dataclass(frozen=True)
class Import:
    """One import of a `whence` module: where it stands and whether it runs when the file loads."""

    target: str
    line: int
    at_load: bool


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    path: Path
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def where(self) -> str:
        """The path from the project's root."""
        return str(self.path.relative_to(ROOT))


def _module_name(path: Path) -> str:
    parts = list(path.relative_to(SRC).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _find_imports(tree: ast.Module, known: set[str]) -> tuple[Import, ...]:
    found: list[Import] = []

    def visit(node: ast.AST, *, at_load: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.append(Import(full if full in known else node.module, node.lineno, at_load))
        inside = at_load and not isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        )
        for child in ast.iter_child_nodes(node):
            visit(child, at_load=inside and not _is_type_checking(node))

    visit(tree, at_load=True)
    return tuple(one for one in found if one.target.split(".")[0] == "whence")


def read_modules() -> list[Module]:
    """Parse every module below `src/whence`."""
    paths = sorted((SRC / "whence").rglob("*.py"))
    known = {_module_name(path) for path in paths}
    modules = []
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        modules.append(Module(_module_name(path), path, tree, _find_imports(tree, known)))
    return modules
