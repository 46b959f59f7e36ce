"""What of the dashboard needs no browser: what its dialogs say of the database, the headline's sentences with their quantities, and the event stream's client."""

import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["dialogs", "headline", "stream"])
def test_script(name):
    done = subprocess.run(["node", "--test", str(Path(__file__).with_name(f"{name}.test.mjs"))], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "# fail 0" in done.stdout, done.stdout[-6000:] + done.stderr[-2000:]
