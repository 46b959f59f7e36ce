"""A real Chromium inside a throw-away host, told what to do line by line (browser.mjs)."""

import fcntl
import json
import shutil
import subprocess
from pathlib import Path

from hosts import BUILD_DIR, PROJECT

HERE = Path(__file__).resolve().parent
PACKAGES = BUILD_DIR / "web-test"
SHOTS = BUILD_DIR / "screenshots"
INSIDE = "/opt/browser"  # the build directory may lie where the host can't see it
URL = "http://127.0.0.1:8080/"

LIVE = "document.getElementById('connection').textContent.includes('Live')"


def packages():
    """What drives the browser, brought once for all."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with open(PACKAGES / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([PROJECT / "tools/web-assets", "--test", PROJECT / "web", PACKAGES], check=True)
    return PACKAGES


class Browser:
    def __init__(self, site, user=None):
        self.site = site
        inside = site.inside(INSIDE)
        shutil.copytree(packages() / "node_modules", inside / "node_modules", symlinks=True)
        shutil.copy(HERE / "browser.mjs", inside / "browser.mjs")
        home = site.inside(f"{INSIDE}/home")
        home.mkdir(mode=0o777)
        home.chmod(0o777)
        self.process = site.host.popen(["node", f"{INSIDE}/browser.mjs", INSIDE], user=user, env={"HOME": f"{INSIDE}/home"},
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)

    def tell(self, verb, **rest):
        try:
            self.process.stdin.write(json.dumps({"verb": verb, **rest}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        assert line, f"the browser died: {self.process.communicate()[1][-3000:]}"
        answer = json.loads(line)
        assert "error" not in answer, f"{answer['error']}\n---- what the page shows ----\n{answer['text']}"
        return answer["answer"]

    def open(self, scheme="light", width=1440, height=1000, **rest):
        self.tell("open", url=URL, scheme=scheme, width=width, height=height, **rest)
        self.wait(f"{LIVE} && document.querySelectorAll('.uplot').length === 3")

    def wait(self, script, timeout=10):
        """Until `script`, asked at every frame, is true."""
        self.tell("wait", script=script, timeout=timeout)

    def wait_text(self, where, *parts, timeout=10):
        self.wait(" && ".join(f"document.getElementById({json.dumps(where)}).textContent.includes({json.dumps(part)})" for part in parts), timeout)

    def ask(self, script):
        return self.tell("ask", script=script)

    def text(self, where):
        return self.ask(f"document.getElementById({json.dumps(where)}).innerText")

    def press(self, *keys):
        self.tell("press", keys=keys)

    def type(self, text):
        self.tell("type", text=text)

    def click(self, selector):
        self.tell("click", selector=selector)

    def tab_to(self, act, most=40):
        """By the keyboard alone."""
        for _ in range(most):
            self.press("Tab")
            if self.ask("document.activeElement.dataset.act ?? ''") == act:
                return
        raise AssertionError(f"no {act} within {most} times Tab\n{self.ask('document.body.innerText')}")

    def shot(self, name, whole=True):
        """Into build/screenshots, for people to look at."""
        self.tell("shot", path=f"{INSIDE}/home/{name}.png", whole=whole)
        SHOTS.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.site.inside(f"{INSIDE}/home/{name}.png"), SHOTS / f"{name}.png")

    def check_accessible(self, what):
        found = self.tell("axe")
        assert found["passes"] > 10, found  # it has looked at something
        assert not found["violations"], f"{what}: {found['violations']}"

    def check_width(self, what):
        too_wide = self.ask("document.documentElement.scrollWidth - innerWidth")
        assert too_wide <= 0, f"{what}: {too_wide} px wider than the window"

    def check_quiet(self):
        complaints = self.tell("complaints")
        assert not complaints, complaints
