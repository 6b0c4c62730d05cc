"""A real Chromium, driven over its own protocol: no library, no download, everything it did is kept."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
from pathlib import Path

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BUILT = Path(__file__).resolve().parents[2] / ".clients/chromium/chromium"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip


def find():
    """The browser's path: ``CHROMIUM``, on the path, or the one that ``make clients`` built; ``None`` without one."""
    chosen = os.environ.get("CHROMIUM")
    if chosen:
        return chosen
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(BUILT) if BUILT.exists() else None)


class Page:
    """One tab. ``requests``, ``errors`` and ``messages`` hold all that happened in it."""

    def __init__(self, socket):
        self.socket, self.session, self.numbers = socket, None, itertools.count(1)
        self.waiting, self.requests, self.errors, self.messages = {}, [], [], []
        self.loaded = asyncio.Event()

    async def call(self, method, **parameters):
        """Call a method of the protocol and return its result."""
        number = next(self.numbers)
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        await self.socket.send_json(message)
        return await asyncio.wait_for(answer, 60)

    async def listen(self):
        """Sort what the browser says into answers and events."""
        async for message in self.socket:
            said = json.loads(message.data)
            if "id" in said:
                future = self.waiting.pop(said["id"])
                if not future.done():
                    future.set_exception(RuntimeError(said["error"])) if "error" in said else future.set_result(
                        said["result"]
                    )
            else:
                self.note(said["method"], said.get("params", {}))

    def note(self, method, said):
        """Keep an event."""
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(said["exceptionDetails"])
        elif method == "Log.entryAdded":
            self.errors.append(said["entry"])
        elif method == "Runtime.consoleAPICalled":
            self.messages.append(said)
        elif method == "Page.loadEventFired":
            self.loaded.set()

    async def open(self, path):
        """Go to a file and wait until it has loaded."""
        self.loaded.clear()
        await self.call("Page.navigate", url=Path(path).resolve().as_uri())
        await asyncio.wait_for(self.loaded.wait(), 60)

    async def do(self, script):
        """Evaluate an expression (promises are awaited) and return its value."""
        found = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"])
        return found["result"].get("value")

    async def until(self, script):
        """Wait until an expression is true."""
        for _ in range(600):
            if await self.do(script):
                return
            await asyncio.sleep(0.05)
        raise TimeoutError(script)

    async def see(self, width=1280, height=900, *, dark=False, still=False):
        """Set the window's size and the reader's preferences."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def press(self, key):
        """Press and release a key."""
        codes = {"Enter": 13, "ArrowDown": 40, "End": 35, "Home": 36, "Tab": 9, "PageDown": 34}
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    async def picture(self, path, *, whole=True):
        """Write a PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def browser(profile):
    """A tab of a fresh browser with its profile in a folder of its own."""
    process = await asyncio.create_subprocess_exec(
        find(), *FLAGS, f"--user-data-dir={profile}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port, path = await _address(Path(profile) / "DevToolsActivePort", process)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket,
        ):
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            target = (await page.call("Target.createTarget", url="about:blank"))["targetId"]
            page.session = (await page.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            for part in ("Page", "Runtime", "Log", "Network"):
                await page.call(f"{part}.enable")
            yield page
            listening.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _address(file, process):
    for _ in range(600):
        if file.exists() and file.read_text().count("\n"):
            port, path = file.read_text().split("\n")[:2]
            return port, path
        if process.returncode is not None:
            raise RuntimeError(f"the browser ended with {process.returncode}")
        await asyncio.sleep(0.05)
    raise TimeoutError("the browser opened no port")
