"""Reads models/manifest.toml and the list of test photographs."""

import platform
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.9 and 3.10: pip, which setup needs anyway, brings the same parser
    from pip._vendor import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parent.parent.parent
MANIFEST = REPOSITORY / "models" / "manifest.toml"
FORMAT = 1


class Catalog:
    """The manifest, with packages by id."""

    def __init__(self, document):
        if document.get("format") != FORMAT:
            raise ValueError(f"{MANIFEST} has format {document.get('format')}, this setup reads {FORMAT}")
        self.packages = {package["id"]: package for package in document["package"]}
        self.weights = document["weights"]
        self.texts = document.get("text", [])
        self.data = document.get("data", [])
        self._runtimes = document["runtime"]

    def runtime(self):
        """The entry for this machine, or None where no package has the library for it."""
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        for entry in self._runtimes:
            if entry["os"] == sys.platform and entry["arch"] == machine:
                return entry
        return None


def load():
    with open(MANIFEST, "rb") as stream:
        return Catalog(tomllib.load(stream))


def read_table(path):
    """Rows of a tab-separated file with a header line, as dicts; `#` starts a comment line."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    header = lines[0].split("\t")
    return [dict(zip(header, line.split("\t"))) for line in lines[1:]]
