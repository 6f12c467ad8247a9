"""The HTTP side: OTLP in, our own REST and the web pages out.

Reading order: `settings` (what can be set) → `services` (what a running server holds) → `app` (the
routes put together) → `run` (the process). One noun of the API per module.
"""
