"""Types a command at a terminal of the host, as an operator would, and reads what comes."""

import codecs
import errno
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from fcntl import ioctl

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78M]|\x0f")
ENVIRONMENT = {"TERM": "xterm-256color", "HOME": "/root", "SYSTEMD_PAGER": "", "SYSTEMD_LESS": ""}


class Terminal:
    """One command under a pseudo terminal of 100 columns."""

    def __init__(self, host, command):
        self.text = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._master, slave = pty.openpty()
        ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.process = host.popen(["setsid", "--ctty", "bash", "-c", command], env=ENVIRONMENT, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def plain(self):
        return ESCAPES.sub("", self.text).replace("\r\n", "\n").replace("\r", "\n")

    def _read(self, timeout):
        """False when everything has been said."""
        ready, _, _ = select.select([self._master], [], [], timeout)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""
        self.text += self._decoder.decode(data)
        return bool(data)

    def read_until(self, pattern, timeout):
        """Whether it came; False when the command ended or the time is over before."""
        end = time.monotonic() + timeout
        while not re.search(pattern, self.plain()):
            left = end - time.monotonic()
            if left <= 0 or not self._read(left):
                return bool(re.search(pattern, self.plain()))
        return True

    def type_in(self, text):
        os.write(self._master, text.encode())

    def end(self, timeout):
        """Its exit status; None when it had to be stopped."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self._read(end - time.monotonic()):
            pass
        try:
            return self.process.wait(max(0.1, end - time.monotonic()))
        except Exception:
            self.interrupt()
            return None

    def interrupt(self):
        """Ctrl-C."""
        self.type_in("\x03")
        try:
            self.process.wait(5)
        except Exception:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(5)

    def close(self):
        os.close(self._master)
