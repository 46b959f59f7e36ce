"""A receiver of messages that does what its file `mode` says, and records every request in its file `log`, a line of JSON each, before
it answers. Modes: a status ("200", "503", "400", "410"), "hang", "garbage", "redirect", "huge", "close", "later 1" (Retry-After).

    receiver.py PORT DIRECTORY

Run on a host of the tests by Receiver (receivers.py)."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

directory = Path(sys.argv[2])
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = (directory / "mode").read_text().split()
        entry = {"at": time.time(), "path": self.path, "headers": {key.lower(): value for key, value in self.headers.items()},
                 "body": body.decode(), "mode": mode[0]}
        with lock, (directory / "log").open("a") as log:
            log.write(json.dumps(entry) + "\n")
        getattr(self, f"answer_{mode[0]}", self.answer_status)(*mode)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_status(self, status):
        self.answer(int(status))

    def answer_hang(self, _):
        while (directory / "mode").read_text().startswith("hang"):  # whoever waits has given up long before
            time.sleep(0.05)
        self.close_connection = True

    def answer_garbage(self, _):
        self.answer(200, b"<html>Welcome to the hotel's network</html>", Content_Type="text/html")

    def answer_redirect(self, _):
        self.answer(302, Location="http://127.0.0.1:1/elsewhere")

    def answer_huge(self, _):
        self.answer(200, b"x" * 4_000_000)

    def answer_close(self, _):
        self.close_connection = True

    def answer_later(self, _, seconds):
        self.answer(503, Retry_After=seconds)

    def log_message(self, *_):
        pass


ThreadingHTTPServer.daemon_threads = True
server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
(directory / "ready").touch()
server.serve_forever()
