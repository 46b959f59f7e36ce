import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hosts"))

from fixtures import build_dir, host, module_host  # noqa: E402, F401
