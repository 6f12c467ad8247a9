"""Recording spans, from the inside out.

`ids` and `keys` (OpenTelemetry's context) carry the rest; `values` turns anything into JSON text;
`active` holds the open traces, `span` the spans, `start` decides where a span hangs. `decorator`,
`generators`, `scope` and `tracer` are the ways to make one; `current`, `trace_metadata` and
`propagation` what a program says about its trace; `record` and `readable` what leaves.
"""
