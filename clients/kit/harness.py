"""What every client suite needs: a server of its own, photographs on disk and by URL, expectations."""
import contextlib
import functools
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def cache_dir():
    """The per-user cache that the setup step fills."""
    if os.environ.get("OCELLUS_CACHE"):
        return pathlib.Path(os.environ["OCELLUS_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "ocellus"


def photos_dir():
    return cache_dir() / "photos"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@contextlib.contextmanager
def photo_server():
    """Serves the test photographs over HTTP on loopback and yields the base URL."""
    handler = functools.partial(_Quiet, directory=str(photos_dir()))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server process on a data folder of its own; the folder survives `kill` and `start`."""

    def __init__(self, binary, data_dir=None, settings=None):
        self.binary = str(binary)
        self.settings = settings or {}  # by the names of the environment
        self.owned = data_dir is None
        self.data_dir = pathlib.Path(data_dir or tempfile.mkdtemp(prefix="ocellus-clients-"))
        self.port = free_port()
        self.tls_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.data_dir.with_suffix(".log")
        self.process = None

    def start(self, deadline_s=60):
        env = dict(os.environ, OCELLUS__FETCH__ALLOW="127.0.0.1/32", **self.settings)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data-dir", str(self.data_dir), "--listen", f"127.0.0.1:{self.port}",
                 "--tls-listen", f"127.0.0.1:{self.tls_port}", "--tls-self-signed"],
                stdout=log, stderr=log, env=env, cwd=self.data_dir.parent)
        ends = time.monotonic() + deadline_s
        while not self._ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log_tail()}")
            if time.monotonic() > ends:
                raise RuntimeError(f"the server was not ready within {deadline_s} s:\n{self.log_tail()}")
            time.sleep(0.02)
        return self

    def _ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self):
        """Ends the process as a power cut would: SIGKILL, no warning."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    def keys(self):
        return json.loads((self.data_dir / "first-key.json").read_text())

    def environment(self):
        keys = self.keys()
        return {
            "OCELLUS_TEST_URL": self.url,
            "OCELLUS_TEST_TLS": f"127.0.0.1:{self.tls_port}",
            "OCELLUS_TEST_CERT": str(self.data_dir / "cert.pem"),
            "OCELLUS_TEST_API_KEY": keys["api_key"],
            "OCELLUS_TEST_PAT": keys["pat"],
            "OCELLUS_TEST_USER": keys["user_id"],
            "OCELLUS_TEST_APP": keys["app_id"],
            "OCELLUS_TEST_CLIENT_ID": keys["client_id"],
            "OCELLUS_TEST_CLIENT_SECRET": keys["client_secret"],
        }

    def log_tail(self, lines=40):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exc):
        self.stop()
        if self.owned:
            shutil.rmtree(self.data_dir, ignore_errors=True)
            self.log.unlink(missing_ok=True)


def wait_until(condition, what, deadline_s=120, every_s=0.05):
    """Polls an observable state, as the clients themselves do; fails naming what never came true."""
    ends = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(every_s)
