"""Prints the contract with `ACCESS=secured`, for the programs that check it: `python -m tools.secured`."""

import sys

from app import specification

if __name__ == "__main__":
    sys.stdout.buffer.write(specification.source(specification.load(secured=True), secured=True))
