"""A shop that traces one function; its programs are started in every way there is."""
