"""Which code, which version, which environment: found once per process, each with its origin.

`process` puts together what `variables` (the environment), `program` (the running program) and
`git` (the repository, read without the git program) find.
"""
