"""The way of a recorded span out of the process.

`pipeline` queues and batches, `outlet` writes to a local store or posts to a server through
`transport`, `spool` keeps on disk what can't be delivered yet, `signals` catches the process's end.
"""
