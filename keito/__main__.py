"""`python -m keito`."""

import sys

from keito.cli import main

if __name__ == "__main__":
    sys.exit(main())
