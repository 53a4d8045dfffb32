"""Chromium without a screen, driven over its DevTools protocol on a pipe: messages are JSON, a NUL behind each."""
import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess

from .process import die_with_parent, end, wait_until

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Name: (key, code, key code, text).
KEYS = {"Tab": ("Tab", "Tab", 9, ""), "Enter": ("Enter", "Enter", 13, "\r"), "Space": (" ", "Space", 32, " ")}
SHIFT = 8


class Browser:
    """One page. What the page complains of on its console is in `complaints`."""

    def __init__(self, folder: pathlib.Path):
        theirs, to = os.pipe()
        come, answers = os.pipe()
        self.to, self.come, self.buffer, self.last, self.session, self.complaints = to, come, b"", 0, None, []
        with (folder / "browser.log").open("w") as log:
            # It expects its ends as descriptors 3 and 4.
            self.process = subprocess.Popen(
                ["bash", "-c", f'exec 3<&{theirs} 4>&{answers}; exec "$@"', "bash", BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu",
                 "--hide-scrollbars", "--no-first-run", f"--user-data-dir={folder}/profile", "--remote-debugging-pipe", "about:blank"],
                stdout=log, stderr=log, pass_fds=(theirs, answers), preexec_fn=die_with_parent(signal.SIGKILL))
        os.close(theirs)
        os.close(answers)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        end(self.process)
        os.close(self.to)
        os.close(self.come)

    def receive(self) -> dict:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.come], [], [], 120)
            chunk = os.read(self.come, 1 << 20) if ready else b""
            assert chunk, "the browser says nothing any more"
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(line)

    def call(self, method: str, **parameters) -> dict:
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters, **({"sessionId": self.session} if self.session else {})}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.receive()).get("id") != self.last:
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(answer["params"])
        assert "error" not in answer, answer
        return answer["result"]

    def evaluate(self, script: str):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def show_at(self, width: int, height: int = 900, scheme: str = "light") -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address: str, until: str) -> None:
        """Goes there and waits until the expression is true."""
        self.call("Page.navigate", url=address)
        wait_until(lambda: self.evaluate(until), 30, f"{address} shows {until}")

    def press(self, name: str, shift: bool = False) -> None:
        key, code, number, text = KEYS[name]
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": SHIFT if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, path: pathlib.Path, whole: bool = True) -> None:
        """As PNG; the whole page, or what fits the window."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))


@contextlib.contextmanager
def browsing(folder: pathlib.Path):
    browser = Browser(folder)
    try:
        yield browser
    finally:
        browser.close()
