"""The shop on the command line: asks here, or in a child that multiprocessing starts."""

import multiprocessing
import sys

from shop.asking import ask


def main() -> None:
    if len(sys.argv) > 1:
        child = multiprocessing.get_context(sys.argv[1]).Process(target=ask)
        child.start()
        child.join(60)
    else:
        ask()


if __name__ == "__main__":
    main()
