"""Deliveries in, rows out: decode, normalise the dialects, assemble traces, insert in groups.

`prepare` is all that becomes of a request before the store is asked, in this process or in another
(`processes`): `normalise` makes span rows of it, `facts` keeps what assembly needs of a row;
`assemble` is the one rule that makes a trace of facts, `ingestor` is the door, `intake` carries
the spool through it.
"""
