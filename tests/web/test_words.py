"""What the dashboard says, without a browser: the headline's sentences and the quantities in them."""

import subprocess
from pathlib import Path


def test_headline():
    done = subprocess.run(["node", "--test", str(Path(__file__).with_name("headline.test.mjs"))], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "# fail 0" in done.stdout, done.stdout[-6000:] + done.stderr[-2000:]
