"""The specification's commands, on a machine of their own."""

import sys
from pathlib import Path

for folder in ("scenarios", "adapters"):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / folder))

from fixtures import host  # noqa: E402, F401
