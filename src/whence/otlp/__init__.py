"""The wire: spans as OTLP JSON and protobuf, and the segment files of the spool."""
