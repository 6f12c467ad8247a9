"""Run the git program: hidden, harmless, bounded. For what the files of `.git` alone don't tell.

A command has no terminal, asks nothing, opens no network, writes nothing (so it works on a
read-only file system and beside the user's own git) and runs at low priority in a session of its
own. That is killed whole at the deadline, and when this process ends other than by SIGKILL. What
the repository could have git start by its configuration (a file-system monitor, hooks, ssh, …)
is switched off; its content filters run only where the program's own code lies in that work tree,
see `foreign_filters`.

Of the environment's `GIT_*` variables only those pass that name configuration or git's own
programs: inside a git hook the others point git at another repository or index.

A repository that belongs to another user is refused by git; it is read all the same where
`is_trusted` says that its code is running anyway. Limit: git 2.26 or newer (2.38 for the latter).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TIMEOUT_VARIABLE = "WHENCE_DIRTY_TIMEOUT_S"
MAX_OUTPUT_BYTES = 256 << 20
MAX_COMPLAINT_BYTES = 4096
MAX_DOT_GIT_BYTES = 8192
NICENESS = 5  # below the program, and not starved by it: time is limited
POLL_S = 0.002
GRACE_S = 0.5  # for the pipes of a killed command to close

KEPT_VARIABLES = re.compile(
    r"^GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|EXEC_PATH)$"
)
FIXED_VARIABLES = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # older versions of git know no GIT_NO_LAZY_FETCH
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_PAGER": "cat",
    "GIT_TRACE2": "0",
    "GIT_TRACE2_EVENT": "0",
    "GIT_TRACE2_PERF": "0",
}
FIXED_SETTINGS = (
    "core.fsmonitor=",
    f"core.hooksPath={os.devnull}",
    "core.sshCommand=false",
    "core.pager=cat",
    "credential.helper=",
    "diff.external=",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.untrackedCache=false",
    "submodule.recurse=false",
    "core.quotePath=false",
    "core.safecrlf=false",
    # The line endings that a machine prefers are no difference: text is compared with LF.
    "core.autocrlf=input",
    # `large_files` writes the pointers of large files itself.
    "filter.lfs.clean=",
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
)
FILTER_KEY = re.compile(rb"^filter\.(?!lfs\.)(.+)\.(?:clean|smudge|process)$", re.DOTALL)


_running: dict[int, int] = {}  # process ids of git → the process that started it


class GitError(Exception):
    """Git could not answer. The message says why, and how to mend it where that is possible."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class Git:
    """Asks the git program about one work tree, until a deadline.

    `root` is the top of the work tree, `deadline_s` a reading of `time.monotonic()`, `timeout_s`
    how long that was in all, for the message.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, is_trusted: bool, deadline_s: float, timeout_s: float
    ) -> None:
        self.root = os.path.abspath(os.fspath(root))  # noqa: PTH100 - may hold bytes that Path can't
        self.is_trusted = is_trusted
        self.deadline_s = deadline_s
        self.timeout_s = timeout_s

    def enter(self, path: bytes) -> Git:
        """Return the same for a repository below this one's root.

        Anybody's repository may lie there (data, an unpacked archive). It shares the trust only
        if its configuration lies within this one's `.git`, as that of a submodule does.
        """
        below = os.path.join(self.root, os.fsdecode(path))  # noqa: PTH118 - as above
        return Git(
            below,
            is_trusted=self.is_trusted and self._holds(below),
            deadline_s=self.deadline_s,
            timeout_s=self.timeout_s,
        )

    def _holds(self, below: str) -> bool:
        """Tell whether the `.git` of a repository below is a file that leads into this one's."""
        dot_git = os.path.join(below, ".git")  # noqa: PTH118 - as above
        try:
            if not stat.S_ISREG(os.lstat(dot_git).st_mode):
                return False
            with open(dot_git, "rb") as file:  # noqa: PTH123 - as above
                word, _, target = file.read(MAX_DOT_GIT_BYTES).strip().partition(b": ")
        except OSError:
            return False
        own = self.run("rev-parse", "--git-common-dir").removesuffix(b"\n")
        home = os.path.realpath(os.path.join(os.fsencode(self.root), own))  # noqa: PTH118 - bytes
        led = os.path.realpath(os.path.join(os.fsencode(below), target))  # noqa: PTH118 - bytes
        return word == b"gitdir" and led.startswith(os.path.join(home, b""))  # noqa: PTH118 - bytes

    def check_time(self) -> None:
        """Raise `GitError` after the deadline."""
        if time.monotonic() >= self.deadline_s:
            raise GitError(f"took longer than {self.timeout_s:g} s; {TIMEOUT_VARIABLE} allows more")

    def run(
        self,
        *words: str | bytes,
        data: bytes | None = None,
        max_bytes: int = MAX_OUTPUT_BYTES,
        may_cut: bool = False,
        keep: Callable[[bytes], bool] | None = None,
    ) -> bytes:
        """Return what a command prints. Raises `GitError`.

        `data` is its input. More than `max_bytes` of output is a problem too, unless `may_cut`:
        then the first `max_bytes` are returned. Of a list of records that end in a null byte only
        those that `keep` accepts are returned; the rest takes no memory.
        """
        self.check_time()
        process = self._start(words, has_input=data is not None)
        _running[process.pid] = os.getpid()
        try:
            output, complaint, is_cut = self._talk(
                process, data, _Drain(process.stdout, max_bytes, keep)
            )
            if is_cut:
                if not may_cut:
                    raise GitError(f"git printed more than {max_bytes:,} bytes")
                return output
            status = self._wait(process)
        finally:
            _kill(process)
            _running.pop(process.pid, None)
        if status != 0:
            raise GitError(self._explain(complaint, status), status)
        return output

    def foreign_filters(self, settings: Sequence[tuple[str, bytes, bytes]]) -> list[str]:
        """Return the programs that an untrusted repository's own configuration would start."""
        if self.is_trusted:
            return []
        return sorted(
            {
                key.decode("utf-8", "replace")
                for scope, key, value in settings
                if scope in ("local", "worktree") and value and FILTER_KEY.match(key)
            }
        )

    def read_settings(self) -> list[tuple[str, bytes, bytes]]:
        """Return git's configuration for this work tree as (scope, key, value), in order."""
        fields = self.run("config", "--list", "--show-scope", "-z").split(b"\0")
        pairs = zip(fields[0::2], fields[1::2], strict=False)
        settings = []
        for scope, entry in pairs:
            key, _, value = entry.partition(b"\n")
            settings.append((scope.decode("ascii", "replace"), key, value))
        return settings

    def _start(self, words: Sequence[str | bytes], *, has_input: bool) -> subprocess.Popen[bytes]:
        program = shutil.which("git")
        if program is None or not os.path.isabs(program):  # noqa: PTH117 - a plain string
            raise GitError("no git program on PATH; install git to have it looked at")
        fixed = [word for setting in self._settings() for word in ("-c", setting)]
        command = [program, "--no-optional-locks", "--literal-pathspecs", *fixed, *words]
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed program without a shell
                command,
                cwd=self.root,
                env=self._environment(),
                stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                close_fds=True,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as error:
            raise GitError(f"the git program did not start: {error}") from error
        if sys.platform != "win32":
            with contextlib.suppress(OSError):  # it has ended already
                os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
        return process

    def _settings(self) -> list[str]:
        if not self.is_trusted:
            return list(FIXED_SETTINGS)
        own = dict.fromkeys((self.root, os.path.realpath(self.root)))
        return [*FIXED_SETTINGS, *(f"safe.directory={folder}" for folder in own)]

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or KEPT_VARIABLES.match(name)
        }
        # Where `.git` here is broken, an outer repository would be the wrong answer.
        ceiling = os.path.dirname(os.path.realpath(self.root))  # noqa: PTH120 - as above
        return {**kept, **FIXED_VARIABLES, "GIT_CEILING_DIRECTORIES": ceiling}

    def _talk(
        self, process: subprocess.Popen[bytes], data: bytes | None, output: _Drain
    ) -> tuple[bytes, bytes, bool]:
        """Write the input, read both outputs; return them and whether the first was cut."""
        complaint = _Drain(process.stderr, -1)
        threads = [output.start(), complaint.start()]
        if data is not None:
            threads.append(_run_aside(_feed, process.stdin, data))
        for thread in threads[:2]:
            thread.join(max(0.0, self.deadline_s - time.monotonic()))
            if output.is_cut:
                return bytes(output.kept), bytes(complaint.kept), True
            if thread.is_alive():
                _kill(process)
                for one in threads:
                    one.join(GRACE_S)
                self.check_time()
                raise GitError("git did not end")
        return bytes(output.kept), bytes(complaint.kept), False

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        """Return the exit status. A program's own SIGCHLD handler may have taken it away."""
        if sys.platform == "win32" or not hasattr(os, "waitid"):  # macOS has it since Python 3.13
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(max(0.0, self.deadline_s - time.monotonic()))
            self.check_time()
            return -1
        while True:
            try:
                known = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                raise GitError(
                    "the program's own handling of SIGCHLD hides how git ended"
                ) from None
            if known is not None:
                return process.wait()
            self.check_time()
            time.sleep(POLL_S)

    def _explain(self, complaint: bytes, status: int) -> str:
        lines = complaint.decode("utf-8", "replace").splitlines()
        said = next((line for line in lines if line.startswith("fatal:")), None)
        text = said or next((line for line in lines if line.strip()), f"exit status {status}")
        if "dubious ownership" in text or "unsafe repository" in text:
            return (
                "the repository belongs to another user and git refuses to read it; "
                f"`git config --global --add safe.directory {self.root}` allows it"
            )
        return f"git: {text.removeprefix('fatal: ')}"


class _Drain:
    """Reads a pipe to its end in a thread. Keeps at most `max_bytes` (-1: the first few kB)."""

    def __init__(
        self,
        pipe: IO[bytes] | None,
        max_bytes: int,
        keep: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._pipe = pipe
        self._max_bytes = max_bytes
        self._keep = keep
        self._open_record = b""
        self.kept = bytearray()
        self.is_cut = False

    def start(self) -> threading.Thread:
        return _run_aside(self._read)

    def _read(self) -> None:
        pipe = self._pipe
        if pipe is None:
            return
        limit = MAX_COMPLAINT_BYTES if self._max_bytes < 0 else self._max_bytes
        try:
            with pipe:
                while chunk := pipe.read1(1 << 16):  # type: ignore[attr-defined]  # buffered, as Popen opens it
                    chunk = self._choose(chunk)
                    room = limit - len(self.kept)
                    self.kept += chunk[:room]
                    if len(chunk) > room and self._max_bytes >= 0:
                        self.is_cut = True
                        return  # closing the pipe ends the command
        except (OSError, ValueError):
            pass

    def _choose(self, chunk: bytes) -> bytes:
        if self._keep is None:
            return chunk
        *records, self._open_record = (self._open_record + chunk).split(b"\0")
        return b"".join(record + b"\0" for record in records if self._keep(record))


def _feed(pipe: IO[bytes], data: bytes) -> None:
    try:
        with pipe:
            pipe.write(data)
    except (OSError, ValueError):  # it ended before it had read all
        pass


def _run_aside(target: object, *given: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=given, name="whence-git", daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, with all that it started."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        _kill_group(process.pid)
        process.wait(GRACE_S)


def _kill_group(process_id: int) -> None:
    if sys.platform == "win32":
        os.kill(process_id, signal.SIGTERM)  # which ends it at once there
    else:
        os.killpg(process_id, signal.SIGKILL)


def end_running() -> None:
    """At the end of this process: kill the commands that still run, with all that they started."""
    for process_id, starter in list(_running.items()):
        if starter == os.getpid():
            with contextlib.suppress(OSError):
                _kill_group(process_id)
