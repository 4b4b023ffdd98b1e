"""``python -m numact``: the same as the command ``numact``."""

import sys

from numact.cli import main

sys.exit(main())
