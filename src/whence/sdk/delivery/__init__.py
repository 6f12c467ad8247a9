"""The way of a recorded span out of the process.

`pipeline` takes it in and owns the `backlog`; the `exporter`, in a `worker` of its own, batches
what is there, keeping roots back while `late` completes the process's context. `outlet` writes to
a local store or posts to a server through `transport`, `spool` keeps on disk what can't be
delivered yet, `signals` catches the process's end, also (`watcher`) while the main thread is in C.
"""
