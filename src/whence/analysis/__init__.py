"""Compare versions: whether the candidate is worse than the baseline, and why.

`statistics` is the pure core: arrays in, verdicts out. `version_diff` says what is different
in what two versions are made of.
"""
