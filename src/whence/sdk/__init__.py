"""Capture: spans, their context, and their way out of the process.

From the inside out: `ids`, `diagnostics`, `settings` and `keys` (OpenTelemetry's context) carry the
rest; `capture` turns values into JSON text; `active` holds the open traces, `span` the spans,
`start` decides where a span hangs; `decorator`, `generators`, `scope` and `tracer` are the ways to
make one, `current` and `propagation` what a program says about it. `context`, `git` and `source`
find out which code this is. `pipeline`, `delivery`, `transport` and `spool` bring spans out, and
`client` reads them back from a server.
"""
