"""A small application that records real traces, for `whence demo`."""
