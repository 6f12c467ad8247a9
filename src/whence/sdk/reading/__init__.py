"""Traces read back from a server: `client` over `http`, from a `local_server` where needed."""
