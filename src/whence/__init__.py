"""Whence: which code, which version, which environment did this trace come from?"""
