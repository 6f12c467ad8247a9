"""A program for an image: its traces carry the commit that the image was built from."""

from __future__ import annotations

import whence


@whence.trace
def answer(question: str) -> str:
    return question.upper()


if __name__ == "__main__":
    print(answer("which code did this image come from?"))
    whence.flush()
