"""Starts a child as execnet does, which is told what to run through its standard input."""

import subprocess
import sys

code = "import sys;exec(eval(sys.stdin.readline()))"
subprocess.run(
    [sys.executable, "-c", code],
    input="'from shop.asking import ask; ask()'\n",
    text=True,
    check=True,
)
