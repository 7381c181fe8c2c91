"""Opens pages in a headless Chromium for prove-see.sh, by its DevTools protocol.

usage: see_browser.py pictures DIR NAME=URL..       (screenshots, light and dark, wide and of a phone; what each page loads)
       see_browser.py tabs URL COUNT APPEND TEXT    (tabs of one browser; runs the program APPEND, and waits for TEXT on all of them)
needs chromium on PATH, and the package websocket-client
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket


class Tab:
    def __init__(self, address):
        self.socket = websocket.create_connection(address, timeout=60, suppress_origin=True)
        self.number = 0
        self.events = []

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.number:
                if "error" in message:
                    sys.exit(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def text(self):
        return self.call("Runtime.evaluate", expression="document.body.innerText")["result"].get("value") or ""

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(json.loads(self.socket.recv()))

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")


class Browser:
    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars",
             f"--user-data-dir={self.folder.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        port = pathlib.Path(self.folder.name) / "DevToolsActivePort"
        for _ in range(600):
            if port.exists() and port.read_text().strip():
                break
            time.sleep(0.1)
        self.port = port.read_text().split("\n")[0]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def tab(self, url="about:blank"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/json/new?{url}", method="PUT")
        made = json.load(urllib.request.urlopen(request, timeout=60))
        tab = Tab(made["webSocketDebuggerUrl"])
        for domain in ("Page", "Runtime", "Network"):
            tab.call(f"{domain}.enable")
        return tab


def pictures(folder, pages):
    sizes = {"": (1200, 900, "light"), "-dark": (1200, 900, "dark"), "-phone": (390, 844, "light")}
    with Browser() as browser:
        tab = browser.tab()
        for name, url in pages:
            for suffix, (width, height, scheme) in sizes.items():
                tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
                tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                tab.open(url)
                sent = [event["params"]["request"]["url"] for event in tab.events if event.get("method") == "Network.requestWillBeSent"]
                wide = tab.call("Runtime.evaluate", expression="document.documentElement.scrollWidth")["result"]["value"] - width
                data = tab.call("Page.captureScreenshot", format="png")["data"]
                (pathlib.Path(folder) / f"{name}{suffix}.png").write_bytes(base64.b64decode(data))
                others = [one for one in sent if one != url]
                print(f"{name}{suffix}: {len(others)} other requests, {max(wide, 0)} pixels wider than the window")


def tabs(url, count, append, text):
    with Browser() as browser:
        all_tabs = [browser.tab(url) for _ in range(int(count))]
        for tab in all_tabs:
            while "Read from the journals" not in tab.text():
                time.sleep(0.1)
        time.sleep(1)
        began = time.monotonic()
        with urllib.request.urlopen(url, timeout=60) as page:
            page.read()
        print(f"one more request next to {count} tabs: {(time.monotonic() - began) * 1000:.0f} ms")
        began = time.monotonic()
        subprocess.run([append], check=True)
        appended = time.monotonic()
        left = set(range(len(all_tabs)))
        times = []
        # Only the tab in front is visible; the others renew as they become so.
        while left and time.monotonic() - began < 30:
            for nth in sorted(left):
                if times:
                    all_tabs[nth].call("Page.bringToFront")
                if text in all_tabs[nth].text():
                    times.append(time.monotonic() - appended)
                    left.discard(nth)
        if left:
            sys.exit(f"{len(left)} of {count} tabs do not show `{text}`")
        print(f"on the first tab after {times[0]:.2f} s, on all {count} after {times[-1]:.2f} s")


if sys.argv[1] == "pictures":
    pictures(sys.argv[2], [one.split("=", 1) for one in sys.argv[3:]])
else:
    tabs(*sys.argv[2:])
