"""The build hook: when it builds, what it asks for, and what it says when it fails."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path

import hatch_build
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """A tree like this one whose build copies one file, so that it takes no packages."""
    ui = tmp_path / "ui"
    (ui / "src").mkdir(parents=True)
    (ui / "src" / "main.js").write_text("1")
    # npm hands what follows `--` to the script: --outDir <directory> --logLevel warn.
    (ui / "build.js").write_text(
        "const fs = require('fs'); const out = process.argv[3];\n"
        "fs.mkdirSync(out, { recursive: true }); fs.copyFileSync('src/main.js', out + '/main.js');\n"
    )
    package = {"name": "x", "version": "1.0.0", "scripts": {"build": "node build.js"}}
    (ui / "package.json").write_text(json.dumps(package))
    lock = {"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": True}
    lock["packages"] = {"": {"name": "x", "version": "1.0.0"}}
    (ui / "package-lock.json").write_text(json.dumps(lock))
    (ui / "node_modules").mkdir()
    (tmp_path / "src" / "whence" / "server").mkdir(parents=True)
    return tmp_path


def make_hook(tree: Path) -> hatch_build.UiBuildHook:
    return hatch_build.UiBuildHook(str(tree), {}, None, None, str(tree), "wheel")


def test_a_fresh_tree_asks_for_node_and_a_built_one_does_not(tree):
    hook = make_hook(tree)
    assert hook.dependencies() == [hatch_build.NODE_PACKAGE]
    hook.initialize("editable", {})
    assert (tree / "src/whence/server/static/main.js").read_text() == "1"
    assert hook.dependencies() == []


@pytest.mark.parametrize("change", ["edit", "rename", "lock", "remove"])
def test_any_change_of_what_the_pages_are_made_from_makes_them_stale(tree, change):
    hatch_build.build_ui(tree)
    source = tree / "ui" / "src" / "main.js"
    if change == "edit":
        source.write_text("2")
    elif change == "rename":
        source.rename(source.with_name("other.js"))
    elif change == "lock":
        (tree / "ui" / "package-lock.json").write_text("{}")
    else:
        shutil.rmtree(tree / "src/whence/server/static")
    assert hatch_build.is_stale(tree)


def test_a_touch_without_a_change_is_not_stale(tree):
    hatch_build.build_ui(tree)
    (tree / "ui" / "src" / "main.js").write_text("1")
    assert not hatch_build.is_stale(tree)


def test_the_ui_can_be_left_out(tree, monkeypatch):
    monkeypatch.setenv("WHENCE_SKIP_UI", "1")
    hook = make_hook(tree)
    assert hook.dependencies() == []
    hook.initialize("standard", {})
    assert not (tree / "src/whence/server/static").exists()


def test_a_failed_build_says_what_failed_and_keeps_the_pages_that_were_there(tree, capfd):
    hatch_build.build_ui(tree)
    (tree / "ui" / "build.js").write_text("console.error('no such colour'); process.exit(3)")
    (tree / "ui" / "src" / "main.js").write_text("2")
    with pytest.raises(SystemExit):
        make_hook(tree).initialize("standard", {})
    said = "".join(capfd.readouterr())
    assert "npm run build" in said
    assert "no such colour" in said
    assert "WHENCE_SKIP_UI=1" in said
    assert (tree / "src/whence/server/static/main.js").read_text() == "1"
    assert [path.name for path in (tree / "src/whence/server").iterdir()] == ["static"]


def test_the_pages_of_this_tree_are_up_to_date():
    assert not hatch_build.is_stale(ROOT), "`just ui` builds them"


def test_the_lock_file_names_no_address_of_a_package():
    lock = json.loads((ROOT / "ui" / "package-lock.json").read_text())
    packages = lock["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_the_pages_load_nothing_from_elsewhere_and_hold_no_inline_script():
    static = ROOT / "src/whence/server/static"
    index = (static / "index.html").read_text()
    assert "http" not in index
    assert "<style" not in index
    assert index.count("<script") == index.count('src="/assets/')
    styles = "".join(path.read_text() for path in static.glob("assets/*.css"))
    assert "http" not in styles
    assert "@import" not in styles


def test_the_first_load_is_small_and_the_editor_comes_apart_from_it():
    static = ROOT / "src/whence/server/static"
    named = re.findall(r'(?:src|href)="/(assets/[^"]+)"', (static / "index.html").read_text())
    size = sum(len(gzip.compress((static / name).read_bytes())) for name in named)
    assert size <= 350_000
    scripts = [path.read_text() for path in static.glob("assets/*.js")]
    editors = [text for text in scripts if "cm-tooltip-autocomplete" in text]
    assert len(editors) == 1
    assert all(editors[0] != (static / name).read_text() for name in named)
