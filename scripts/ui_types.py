"""Generate the UI's types from the server's OpenAPI document: `python scripts/ui_types.py`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "ui" / "src" / "api" / "schema.d.ts"


def render_types() -> str:
    """Return what `ui/src/api/schema.d.ts` has to hold."""
    sys.path.insert(0, str(ROOT))
    import hatch_build

    from whence.server.app import create_app
    from whence.server.services import Services
    from whence.server.settings import Settings

    # The document needs no store: routes are only described, never called.
    services = Services(Settings.model_validate({}), None, None, None, None)  # type: ignore[arg-type]
    # The pages use the shapes of what is sent; the addresses are in `api/queries.ts`.
    document = json.dumps({**create_app(services).openapi(), "paths": {}})
    hatch_build.install_packages(ROOT / "ui", everything=True)
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "openapi.json", Path(scratch) / "schema.d.ts"
        source.write_text(document, encoding="utf-8")
        hatch_build.run_npm(ROOT / "ui", "run", "types", "--", str(source), "--output", str(target))
        return target.read_text(encoding="utf-8")


if __name__ == "__main__":
    SCHEMA.write_text(render_types(), encoding="utf-8")
