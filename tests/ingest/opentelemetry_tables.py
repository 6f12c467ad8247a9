"""The tables of docs/opentelemetry.md, made from `semconv`. Run it to write them into the page."""

from __future__ import annotations

from pathlib import Path

from whence import semconv
from whence.ingest.tokens import INPUT, OUTPUT, TOTAL

PAGE = Path(__file__).parents[2] / "docs" / "opentelemetry.md"


def _keys(keys):
    return ", ".join(f"`{key}`" for key in keys)


def _table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def metadata_table():
    """Which attribute becomes which metadata key."""
    bare = {
        semconv.ENVIRONMENT: "environment",
        semconv.APP_VERSION: "app_version",
        semconv.GIT_COMMIT: "commit",
        semconv.GIT_BRANCH: "branch",
        semconv.SESSION: "session",
        semconv.TRACE_USER: "user",
    }
    rows = [
        (f"`{key}`", f"`{bare[key]}`" if key in bare else "", _keys(sources))
        for key, sources in semconv.METADATA_SOURCES.items()
    ]
    return _table(("metadata key", "short field", "attributes, the first one wins"), rows)


def dialect_table():
    """What else becomes metadata or tags."""
    rows = [
        (f"`{prefix}<key>`", "metadata `<key>`, unless the table above names the attribute")
        for prefix in semconv.METADATA_SOURCE_PREFIXES
    ]
    rows += [
        (f"`{name}`, an object or the JSON text of one", "each of its keys, as metadata")
        for name in semconv.METADATA_SOURCE_OBJECTS
    ]
    rows += [
        (f"`{name}`, a list of texts", f"a tag for each, with the value `{semconv.LABEL_VALUE}`")
        for name in semconv.LABEL_SOURCES
    ]
    return _table(("attribute", "becomes"), rows)


def payload_table():
    """Which attribute becomes which part of a span."""
    indexed_in = tuple(f"{one}N.*" for one in semconv.INDEXED_INPUT_PREFIXES)
    indexed_out = tuple(f"{one}N.*" for one in semconv.INDEXED_OUTPUT_PREFIXES)
    rows = [
        ("inputs", _keys((*semconv.INPUT_KEYS, *indexed_in))),
        ("outputs", _keys((*semconv.OUTPUT_KEYS, *indexed_out))),
        (
            "span type",
            _keys((*semconv.SPAN_TYPE_KEYS, semconv.OPERATION_NAME, semconv.REQUEST_TYPE)),
        ),
        ("model", _keys(semconv.MODEL_KEYS)),
        ("provider", _keys(semconv.PROVIDER_KEYS)),
        (f"`{INPUT}`", _keys((semconv.CHAT_TOKEN_USAGE, *semconv.INPUT_TOKEN_KEYS))),
        (f"`{OUTPUT}`", _keys((semconv.CHAT_TOKEN_USAGE, *semconv.OUTPUT_TOKEN_KEYS))),
        (f"`{TOTAL}`", _keys((semconv.CHAT_TOKEN_USAGE, *semconv.TOTAL_TOKEN_KEYS))),
        ("cached tokens read", _keys(semconv.CACHE_READ_TOKEN_KEYS)),
        ("cached tokens written", _keys(semconv.CACHE_CREATION_TOKEN_KEYS)),
        (
            "cost",
            _keys(
                (
                    semconv.LLM_COST,
                    *semconv.TOTAL_COST_KEYS,
                    *semconv.INPUT_COST_KEYS,
                    *semconv.OUTPUT_COST_KEYS,
                )
            ),
        ),
    ]
    return _table(("part of a span", "attributes, the first one wins"), rows)


def operation_table():
    """Which GenAI operation is which span type."""
    rows = [(f"`{key}`", f"`{value}`") for key, value in semconv.SPAN_TYPE_OF_OPERATION.items()]
    return _table((f"`{semconv.OPERATION_NAME}`", "span type"), rows)


def environment_table():
    """Which names of an environment mean the same."""
    names = {}
    for alias, name in semconv.WELL_KNOWN_ENVIRONMENTS.items():
        names.setdefault(name, []).append(alias)
    rows = [(f"`{name}`", _keys(aliases)) for name, aliases in names.items()]
    return _table(("`environment`", "written as, in any case"), rows)


TABLES = {
    "metadata": metadata_table,
    "dialect": dialect_table,
    "payload": payload_table,
    "operation": operation_table,
    "environment": environment_table,
}


def write_tables(text):
    """Return the page's text with its tables made anew."""
    for name, make in TABLES.items():
        opening, closing = f"<!-- table: {name} -->\n", "<!-- end -->"
        before, rest = text.split(opening)
        _, after = rest.split(closing, 1)
        text = f"{before}{opening}{make()}{closing}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(write_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
