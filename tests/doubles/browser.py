"""A headless Chromium, driven over its debugging pipe."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

PROGRAM = shutil.which("chromium")
WITHOUT = "no chromium on PATH (Debian: apt install chromium)"


class Browser:
    """One page of one browser; what the page logs is kept in `logged`."""

    def __init__(self, profile: Path):
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()

        def place():
            low, high = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (down_read, up_write))
            os.dup2(low, 3)
            os.dup2(high, 4)

        self._process = subprocess.Popen(
            [
                PROGRAM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--remote-debugging-pipe",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            preexec_fn=place,  # noqa: PLW1509 -- the pipe must be 3 and 4; no thread runs here
            close_fds=False,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(down_read)
        os.close(up_write)
        self._down, self._up = down_write, up_read
        self._buffer = b""
        self._number = 0
        self.logged = []
        self.requested = []
        targets = self._call("Target.getTargets", session=None)["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self._session = self._call(
            "Target.attachToTarget", session=None, targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, fragment: str = "", *, width=1280, height=900, dark=False):
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=scheme)
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=f"{page.absolute().as_uri()}{fragment}")
        deadline = time.monotonic() + 60
        while self.run("document.readyState + location.href.slice(0, 4)") != "completefile":
            assert time.monotonic() < deadline, "the page did not load"
        self.frame()

    def frame(self):
        """Wait until two frames were painted."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def run(self, expression: str):
        """The value of an expression; a promise is waited for."""
        answer = self._call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str):
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key)

    def screenshot(self, path: Path, *, whole=True):
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        with contextlib.suppress(OSError, AssertionError):
            self._call("Browser.close", session=None)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._down)
        os.close(self._up)

    def _call(self, method, *, session=..., **params):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if session is ...:
            message["sessionId"] = self._session
        os.write(self._down, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            if answer.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.logged.append(answer["params"])
            if answer.get("method") == "Network.requestWillBeSent":
                self.requested.append(answer["params"]["request"]["url"])

    def _read(self):
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._up], [], [], 120)
            assert ready, "chromium does not answer"
            read = os.read(self._up, 1 << 20)
            assert read, "chromium has ended"
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)
