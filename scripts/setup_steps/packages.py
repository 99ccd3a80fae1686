"""Fetches pinned packages with the ordinary clients of their registries, and opens what they hold."""

import io
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile

from . import cache


class FetchError(Exception):
    """A package could not be fetched; the message says which and what to do."""


def _run(command, folder, what, cure):
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise FetchError(f"{what} needs `{command[0]}`, which is not installed. {cure}") from None
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if "WARNING: Retrying" not in line]
        said = "\n  ".join(lines[-4:])
        raise FetchError(f"{what} failed:\n  {said}\n  {cure}")


def _pip(package, folder):
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    if platform := package.get("platform"):
        command += ["--platform", platform["tag"], "--python-version", platform["python"]]
        command += ["--implementation", "cp", "--abi", platform["abi"]]
    command.append(f"{package['name']}=={package['version']}")
    cure = "Is the network up, and does `python3 -m pip --version` work (Debian: apt-get install python3-pip)? "
    _run(command, folder, f"pip download {command[-1]}", cure + "Then run setup again.")


def _npm(package, folder):
    command = ["npm", "pack", "--silent", f"{package['name']}@{package['version']}"]
    _run(command, folder, " ".join(command[:2] + command[3:]), "Install npm, check the network, then run setup again.")


def _apt(package, folder):
    """Tries the pinned version, then with fresh package lists, then whatever version this release has."""
    pinned = ["apt-get", "download", f"{package['name']}={package['version']}"]
    cure = (
        "Run `apt-get update` as root and then setup again; or put the file "
        f"{package['file']} into <cache>/ocellus/downloads/{package['sha256']}/ yourself."
    )
    try:
        return _run(pinned, folder, " ".join(pinned), cure)
    except FetchError:
        if shutil.which("apt-get") is None:
            raise
    if os.geteuid() == 0:  # a fresh container has no package lists; only root may fetch them
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    try:
        _run(pinned, folder, " ".join(pinned), cure)
    except FetchError:
        _run(["apt-get", "download", package["name"]], folder, f"apt-get download {package['name']}", cure)


_CLIENTS = {"pypi": _pip, "npm": _npm, "debian": _apt}


def fetch(store, package, say):
    """The path of a package's archive in the cache, fetched first where it is not there yet."""
    target = store.root / "downloads" / package["sha256"] / package["file"]
    if target.is_file() and cache.sha256_of(target) == package["sha256"]:
        return target
    say(f"fetching {package['name']} {package['version']} ({package['size'] / 1e6:.1f} MB)")
    with store.scratch() as folder:
        _CLIENTS[package["registry"]](package, folder)
        found = [path for path in folder.iterdir() if path.is_file()]
        if len(found) != 1:
            raise FetchError(f"{package['name']}: expected one file, got {[path.name for path in found]}")
        digest = cache.sha256_of(found[0])
        # Debian replaces versions, so another one will do: every file out of it is checked by its own hash.
        if digest != package["sha256"] and package["registry"] != "debian":
            raise FetchError(
                f"{package['name']} {package['version']} from the registry is not the file that was pinned: "
                f"SHA-256 {digest}, expected {package['sha256']}. Nothing was installed from it."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(found[0], target)
    return target


def forget(store, package):
    """Deletes an archive of which everything needed has been installed."""
    shutil.rmtree(store.root / "downloads" / package["sha256"], ignore_errors=True)


def _debian_data(path):
    """The data.tar of a .deb, which is an `ar` archive: 60-byte headers, contents padded to even length."""
    content = path.read_bytes()
    position = 8
    while position + 60 <= len(content):
        name = content[position : position + 16].decode("ascii").strip().rstrip("/")
        size = int(content[position + 48 : position + 58])
        body = content[position + 60 : position + 60 + size]
        if name == "data.tar.xz":
            return tarfile.open(fileobj=io.BytesIO(lzma.decompress(body)))
        if name in ("data.tar", "data.tar.gz"):
            return tarfile.open(fileobj=io.BytesIO(body))
        position += 60 + size + size % 2
    raise FetchError(f"{path} holds no data archive that setup can read")


def read_members(path, names):
    """The named files out of an archive, by name."""
    wanted = set(names)
    if path.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist() if name in wanted}
    else:
        archive = _debian_data(path) if path.suffix == ".deb" else tarfile.open(path)
        found = {}
        with archive:
            for member in archive:
                name = member.name[2:] if member.name.startswith("./") else member.name
                if name in wanted and member.isfile():
                    found[name] = archive.extractfile(member).read()
    missing = sorted(wanted - set(found))
    if missing:
        raise FetchError(f"{path.name} does not hold {', '.join(missing)}")
    return found


def free_bytes(path):
    """What the file system of the cache has left."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
