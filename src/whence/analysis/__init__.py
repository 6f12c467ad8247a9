"""Compare versions: whether the candidate is worse than the baseline, and why.

`statistics` is the pure core: arrays in, verdicts out.
"""
