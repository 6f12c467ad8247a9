"""An experiment's id, which is computed from its name and never looked up.

So a program can record without a server: `Default` is `0`, any other name a 50-bit number in
decimal.
"""

from __future__ import annotations

from _blake2 import blake2b  # what hashlib gives, without its imports: a program's start pays

from whence.semconv import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME

ID_SHIFT = 14  # 64 - 14 = 50 bits: exact in a JSON number, and in MLflow's integer check


def experiment_id_of(name: str) -> str:
    """Return the id of the experiment with this name.

    >>> experiment_id_of("Default")
    '0'
    >>> experiment_id_of("chatbot")
    '1062218882224921'
    """
    if name == DEFAULT_EXPERIMENT_NAME:
        return DEFAULT_EXPERIMENT_ID
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return str(int.from_bytes(digest, "big") >> ID_SHIFT)
