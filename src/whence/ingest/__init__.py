"""Deliveries in, rows out: decode, normalise the dialects, assemble traces, insert in groups.

`normalise` makes span rows of what the wire says, `facts` keeps what assembly needs of a row,
`assemble` is the one rule that makes a trace of facts, `ingestor` is the door, `intake` carries
the spool through it.
"""
