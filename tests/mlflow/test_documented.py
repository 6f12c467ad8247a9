"""docs/mlflow.md lists every route by which MLflow clients are answered, and no other."""

from __future__ import annotations

import re

from source_tree import ROOT

from whence.server.mlflow.router import mlflow_router

PAGE = (ROOT / "docs" / "mlflow.md").read_text(encoding="utf-8")
BELOW = re.compile(r"/api/[23]\.0/(?:mlflow|mlflow-artifacts)(/.*)")


def offered():
    for route in mlflow_router(None).routes:
        below = BELOW.fullmatch(route.path)
        if below is not None and "{rest" not in route.path:
            path = below[1].replace(":path", "")
            yield from ((method, path) for method in route.methods - {"HEAD"})


def test_every_route_is_documented_and_no_other():
    found = {f"{method} {path}" for method, path in offered()}
    section = PAGE.split("## Requests")[1].split("##")[0]
    documented = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", section))
    assert documented - {"GET /version", "POST /v1/traces"} == found


def test_every_route_has_its_alias():
    paths = {route.path for route in mlflow_router(None).routes}
    assert {"/ajax-api" + path[len("/api") :] for path in paths if path.startswith("/api")} <= paths
