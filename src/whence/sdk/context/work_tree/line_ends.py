r"""Texts that were committed with `\r\n`: what their ids would be with `\n`.

Line endings alone make no work tree dirty, and git settles that by itself wherever the commit holds
`\n`. Where it holds `\r\n`, an attribute that came later, or an editor, may leave other ends than
the commit's; then the committed text is compared with `\n` too. Limit: texts up to
`MAX_TEXT_BYTES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from whence.sdk.context.work_tree.git_program import Git

MAX_TEXT_BYTES = 1 << 20
MAX_BATCH_BYTES = 16 << 20


def hash_with_lf(
    git: Git, object_ids: Iterable[bytes], hash_blob: Callable[[bytes], bytes]
) -> dict[bytes, bytes]:
    r"""Return, for each of these blobs that is a text with `\r\n`, its id with `\n` instead."""
    found = {}
    for batch in _batches(git, dict.fromkeys(object_ids)):
        for object_id, text in _read_blobs(git, batch):
            if b"\r\n" in text and b"\0" not in text:
                found[object_id] = hash_blob(text.replace(b"\r\n", b"\n"))
    return found


def _batches(git: Git, object_ids: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the blobs that are not too large, as many at once as fit into the memory."""
    listing = b"".join(one + b"\n" for one in object_ids)
    if not listing:
        return
    batch: list[bytes] = []
    total = 0
    for line in git.run("cat-file", "--batch-check", data=listing).splitlines():
        words = line.split(b" ")
        if len(words) != 3 or words[1] != b"blob" or int(words[2]) > MAX_TEXT_BYTES:  # noqa: PLR2004 - "<id> missing"
            continue
        if batch and total + int(words[2]) > MAX_BATCH_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(words[0])
        total += int(words[2])
    if batch:
        yield batch


def _read_blobs(git: Git, object_ids: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    text = git.run("cat-file", "--batch", data=b"".join(one + b"\n" for one in object_ids))
    start = 0
    while (end := text.find(b"\n", start)) >= 0:
        object_id, _, size = text[start:end].split(b" ")
        yield object_id, text[end + 1 : end + 1 + int(size)]
        start = end + 1 + int(size) + 1
