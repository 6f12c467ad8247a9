"""The SDK: what runs inside the traced program.

`capture` records spans; `context` finds out which code, version and environment this is; `autolog`
switches on what records other libraries; `delivery` brings spans out of the process; `reading`
brings traces back from a server. `settings` and `configure` hold what the program said, `runtime`
the one pipeline of the process, and `diagnostics` what went wrong. `foreign_names` answers for
MLflow's names that Whence does not have.
"""
