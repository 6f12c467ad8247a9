"""Whether the files differ from the commit, and by what: the git program knows, in the background.

`git_program` runs git safely and within its time; `candidates` lists what may differ, `changes`
what does (`line_ends` and `large_files` settle the doubtful), `state` makes the hash of it. `diff`
writes it down with `secrets` masked, and `nearest_tag` names the version.
"""
