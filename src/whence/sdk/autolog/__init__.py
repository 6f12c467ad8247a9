"""Switching on the instrumentation of GenAI libraries that is installed beside them.

`flavors` is the table of libraries, `switch` turns them on and off.
"""
