"""The per-user cache: where files lie, whether they are what the manifest says, and how they get there.

A file that was read and found right is noted with its size and time of change, so that the next run need not
read it again. The notes are a shortcut only: without them, or with a changed file, the hash decides.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

# One installed file: `path` is relative to the cache, `group` the smallest group that needs it.
Item = namedtuple("Item", "path sha256 size group source")


def root_directory():
    """The folder `ocellus` in OCELLUS_CACHE, XDG_CACHE_HOME or ~/.cache; the server looks there by the same rule."""
    base = os.environ.get("OCELLUS_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "ocellus"


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


class Cache:
    def __init__(self):
        self.root = root_directory()
        self._notes_path = self.root / "verified.json"
        self._read_notes()

    def _read_notes(self):
        try:
            self._notes = json.loads(self._notes_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._notes = {}
        self._notes_changed = False

    def _note(self, item, mark):
        self._notes[item.path] = mark
        self._notes_changed = True

    def paths(self, catalog):
        runtime = catalog.runtime()
        return {
            "cache": self.root,
            "models": self.root / "models",
            "runtime": self.root / "runtime" / runtime["file"] if runtime else "",
            "photos": self.root / "photos",
        }

    def problem(self, item, thorough=False):
        """What is wrong with an installed file, or None."""
        path = self.root / item.path
        try:
            status = path.stat()
        except OSError:
            return f"{path} is missing"
        mark = [item.sha256, status.st_size, status.st_mtime_ns]
        noted = self._notes.get(item.path) == mark
        if noted and not thorough:
            return None
        found = sha256_of(path)
        if found != item.sha256:
            return f"{path} was altered: its SHA-256 is {found}, expected {item.sha256}"
        if not noted:
            self._note(item, mark)
        return None

    def save_notes(self):
        if self._notes_changed:
            draft = self.root / f".verified.{os.getpid()}"
            draft.write_text(json.dumps(self._notes, indent=0, sort_keys=True), encoding="utf-8")
            os.replace(draft, self._notes_path)
            self._notes_changed = False

    @contextlib.contextmanager
    def scratch(self):
        """A folder on the cache's own file system, so that a rename out of it is atomic; removed at the end."""
        parent = self.root / "tmp"
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, item, content):
        """Writes a file whole or not at all. The content has been checked against the hash by the caller."""
        target = self.root / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.scratch() as scratch:
            draft = scratch / "file"
            with open(draft, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, target)
        status = target.stat()
        self._note(item, [item.sha256, status.st_size, status.st_mtime_ns])

    @contextlib.contextmanager
    def lock(self, on_wait):
        """Lets one setup at a time change the cache; the system frees the lock of a run that died."""
        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / ".lock", "w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            shutil.rmtree(self.root / "tmp", ignore_errors=True)  # left by a run that was killed
            self._read_notes()  # another run may have changed them
            yield
