"""MLflow's traces: read from its database or its server, written to its server.

`spans` and `judgements` are its forms of both, `database` and `rest` read, `writer` writes.
"""
