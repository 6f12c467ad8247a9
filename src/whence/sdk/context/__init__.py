"""Which code, which version, which environment: found once per process, each with its origin.

In the order in which a value travels: `table` says who is asked for a key and who wins; `layers`
holds the functions that look (variables, platforms, `git`, stamp, image labels, distribution, the
running `program`, the host; late: the `work_tree`); `identity` keeps apart what speaks of different
code; `ranking` chooses; `process` caches it for this process, and `survey` asks the same for
another folder.
"""
