# Recipes; `uv run just` lists them.

_default:
    @just --list

# The test command: everything CI runs.
test *args:
    uv run pytest {{args}}

# The second recipe: the slow tier as well (large data, full simulations, benches).
test-slow *args:
    uv run pytest --slow --timeout 1800 {{args}}

# Format and mend what a machine can mend.
format:
    uv run ruff format .
    uv run ruff check --fix .

# Refresh the exact versions that pyproject.toml pins.
pin:
    uv run python scripts/pin.py

# Regenerate the pages that are made from code.
docs:
    uv run python -m whence.cli.reference > docs/cli.md
    uv run python -m whence.server.settings
    uv run python scripts/context_page.py
    uv run python scripts/ui_types.py

# Simulate the statistics of the comparison anew, and make docs/statistics.md (some ten minutes).
statistics-page:
    uv run python scripts/statistics_page.py --run

# Build the web UI anew.
ui:
    uv sync --reinstall-package whence

# Measure everything, side by side with the peers (two hours; `--help` tells what else it takes).
bench *args:
    uv run python -m bench {{args}}

# Make docs/benchmarks.md, its pictures and README's numbers from bench/results.json.
bench-page:
    uv run python -m bench.page
