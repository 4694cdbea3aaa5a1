"""`python -m toolkit.cli` is `toolkit`."""

import sys

from toolkit.cli import main

sys.exit(main())
