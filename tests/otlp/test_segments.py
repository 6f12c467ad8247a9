"""Segments: many writers, one reader, and nothing torn or lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from whence.otlp.segments import (
    SegmentWriter,
    claim_segment,
    commit_offset,
    list_segments,
    read_segments,
    remove_if_done,
    waiting_bytes,
)


def lines_of(directory: Path) -> list[bytes]:
    return [line for chunk in read_segments(directory) for line in chunk.lines]


def take_in(directory: Path) -> list[bytes]:
    """What the server does."""
    lines = []
    for chunk in read_segments(directory):
        lines += chunk.lines
        commit_offset(chunk.segment, chunk.new_offset)
    for segment in list_segments(directory):
        remove_if_done(segment)
    return lines


def start(code: str, *args: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "spool")
    for line in (b"one", b"two", b"three" * 1000):
        assert writer.append(line)
    assert lines_of(tmp_path / "spool") == [b"one", b"two", b"three" * 1000]


def test_there_is_nothing_to_read_without_a_directory(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "none") == []
    assert waiting_bytes(tmp_path / "none") == 0


def test_a_committed_line_is_not_read_again(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(b"one")
    assert take_in(tmp_path) == [b"one"]
    writer.append(b"two")
    assert take_in(tmp_path) == [b"two"]
    assert take_in(tmp_path) == []


def test_what_was_not_committed_is_read_again(tmp_path: Path) -> None:
    SegmentWriter(tmp_path).append(b"one")
    assert lines_of(tmp_path) == lines_of(tmp_path) == [b"one"]


def test_a_consumed_segment_goes_when_its_writer_lets_go(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(b"one")
    take_in(tmp_path)
    [segment] = list_segments(tmp_path)
    assert not remove_if_done(segment)
    writer.close()
    assert remove_if_done(segment)
    assert list(tmp_path.iterdir()) == []


def test_a_segment_with_unread_lines_stays(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(b"one")
    writer.close()
    [segment] = list_segments(tmp_path)
    assert not remove_if_done(segment)
    assert lines_of(tmp_path) == [b"one"]


def test_a_torn_last_line_waits_for_its_owner_and_dies_with_it(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(b"whole")
    [segment] = list_segments(tmp_path)
    with segment.open("ab") as file:
        file.write(b'{"torn')
    assert take_in(tmp_path) == [b"whole"]
    assert segment.exists()
    writer.close()
    assert take_in(tmp_path) == []
    assert not segment.exists()


def test_segments_rotate_and_read_oldest_first(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, segment_bytes=100)
    lines = [f"{number:030d}".encode() for number in range(10)]
    for line in lines:
        assert writer.append(line)
    assert len(list_segments(tmp_path)) > 2
    assert lines_of(tmp_path) == lines


def test_a_line_larger_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    large = b"x" * (20 << 20)
    for line in (b"before", large, b"after"):
        assert writer.append(line)
    assert lines_of(tmp_path) == [b"before", large, b"after"]


def test_a_full_directory_refuses_the_new_and_keeps_the_old(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, max_bytes=100)
    assert writer.append(b"a" * 60)
    assert not writer.append(b"b" * 60)
    assert writer.append(b"c" * 30)
    assert lines_of(tmp_path) == [b"a" * 60, b"c" * 30]


def test_a_full_directory_takes_lines_again_once_read(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, max_bytes=100)
    assert writer.append(b"a" * 90)
    assert not writer.append(b"b" * 90)
    take_in(tmp_path)
    assert writer.append(b"b" * 90)


def test_the_bound_counts_what_other_processes_wrote(tmp_path: Path) -> None:
    SegmentWriter(tmp_path, max_bytes=100).append(b"a" * 60)
    assert not SegmentWriter(tmp_path, max_bytes=100).append(b"b" * 60)


def test_a_directory_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path / "spool")
    writer.append(b"gone")
    shutil.rmtree(tmp_path / "spool")
    assert writer.append(b"kept")
    assert lines_of(tmp_path / "spool") == [b"kept"]


@pytest.mark.parametrize("line", [b"", b"two\nlines"])
def test_what_is_not_one_line_is_refused(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(ValueError, match="line"):
        SegmentWriter(tmp_path).append(line)


def test_a_directory_that_can_not_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(OSError, match="file"):
        SegmentWriter(tmp_path / "file" / "spool").append(b"one")


def test_a_live_segment_can_not_be_claimed_and_a_free_one_only_once(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path)
    writer.append(b"one")
    [segment] = list_segments(tmp_path)
    with claim_segment(segment) as claimed:
        assert claimed is None
    writer.close()
    with claim_segment(segment) as claimed, claim_segment(segment) as second:
        assert claimed is not None
        assert second is None


WRITE_FOREVER = """
import sys
from whence.otlp.segments import SegmentWriter
writer = SegmentWriter(sys.argv[1], segment_bytes=200_000)
number = 0
while True:
    writer.append(b"%d:" % number + b"x" * (number * 37 % 5000))
    number += 1
    if number == 100:
        print("going", flush=True)
"""


def test_kill_9_leaves_every_whole_line_readable(tmp_path: Path) -> None:
    processes = [start(WRITE_FOREVER, tmp_path) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "going\n"
    for process in processes:
        process.kill()
        process.communicate()
    by_writer: dict[str, list[bytes]] = {}
    for chunk in read_segments(tmp_path):
        by_writer.setdefault(chunk.segment.name.split("-")[1], []).extend(chunk.lines)
        commit_offset(chunk.segment, chunk.new_offset)
    assert len(by_writer) == 3
    for lines in by_writer.values():
        assert len(lines) >= 100
        for number, line in enumerate(lines):
            assert line == b"%d:" % number + b"x" * (number * 37 % 5000)
    assert all(remove_if_done(segment) for segment in list_segments(tmp_path))


WRITE_1000 = """
import sys
from whence.otlp.segments import SegmentWriter
writer = SegmentWriter(sys.argv[1], segment_bytes=2000)
sys.stdin.readline()
for number in range(1000):
    assert writer.append(f"{sys.argv[2]} {number}".encode())
"""


def test_a_reader_beside_busy_writers_gets_each_line_once(tmp_path: Path) -> None:
    processes = [start(WRITE_1000, tmp_path, name) for name in "abc"]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    lines = []
    while any(process.poll() is None for process in processes):
        lines += take_in(tmp_path)
    lines += take_in(tmp_path)
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert sorted(lines) == sorted(
        f"{name} {number}".encode() for name in "abc" for number in range(1000)
    )
    assert list(tmp_path.iterdir()) == []


FORK = """
import os, sys
from whence.otlp.segments import SegmentWriter, list_segments, remove_if_done
writer = SegmentWriter(sys.argv[1])
writer.append(b"parent before")
child = os.fork()
if child == 0:
    writer.append(b"child")
    sys.stdin.readline()
    os._exit(0)
writer.append(b"parent after")
print("written", flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_forked_child_has_its_own_segment_and_does_not_hold_its_parents(tmp_path: Path) -> None:
    process = start(FORK, tmp_path)
    assert process.stdout.readline() == "written\n"
    assert process.wait() == -signal.SIGKILL
    while len(lines_of(tmp_path)) < 3:
        os.sched_yield()
    chunks = {tuple(chunk.lines): chunk for chunk in read_segments(tmp_path)}
    assert set(chunks) == {(b"parent before", b"parent after"), (b"child",)}
    for chunk in chunks.values():
        commit_offset(chunk.segment, chunk.new_offset)
    assert remove_if_done(chunks[b"parent before", b"parent after"].segment)
    assert not remove_if_done(chunks[(b"child",)].segment)  # the child lives and holds it
    process.communicate("end\n")
