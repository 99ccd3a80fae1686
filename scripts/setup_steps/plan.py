"""What each group needs, and the steps that install it."""

import collections
import hashlib
import importlib
import time

from . import cache, manifest, packages

# Group -> the groups it takes in.
GROUPS = {"serve": ("serve",), "test": ("serve", "test"), "bench": ("serve", "test", "bench")}


class SetupError(Exception):
    """Setup cannot go on; the message names the file and the cure."""


# Where a file comes from: a member of a package, perhaps put through a converter. Without a package it is a file of the
# repository.
Source = collections.namedtuple("Source", "package member converter member_sha256", defaults=(None, None))


def items(catalog, group):
    """The files that a group needs, in the order they are installed."""
    runtime = catalog.runtime()
    if runtime is None:
        raise SetupError(
            "no ONNX Runtime is known for this machine. Install version 1.31 or newer yourself and name its "
            "shared library in the configuration (runtime.library)."
        )
    wanted = [cache.Item(f"runtime/{runtime['file']}", runtime["sha256"], runtime["size"], "serve",
                         Source(runtime["package"], runtime["member"]))]
    wanted += [_model_file(entry) for entry in catalog.weights]
    for entry in catalog.texts:
        wanted += [_model_file(entry), _model_file(entry["tokenizer"])]
    for entry in catalog.data:
        if entry.get("group", "test") in GROUPS[group]:
            wanted += _photographs(entry) if "list" in entry else _data_files(entry)
    return wanted


def _model_file(entry):
    if "repository_file" in entry:
        source = Source(None, entry["repository_file"])
    else:
        source = Source(entry["package"], entry["member"], entry.get("converter"), entry.get("member_sha256"))
    return cache.Item(f"models/{entry['sha256']}/{entry['file']}", entry["sha256"], entry["size"], "serve", source)


def _photographs(entry):
    for row in manifest.read_table(manifest.REPOSITORY / entry["list"]):
        source = Source(row["package"], row["member"])
        yield cache.Item(f"photos/{row['file']}", row["sha256"], int(row["bytes"]), "test", source)


def _data_files(entry):
    for row in entry["files"]:
        source = Source(entry["packages"][0], f"{entry['folder']}/{row['file']}")
        yield cache.Item(f"data/{entry['id']}/{row['file']}", row["sha256"], row["size"], entry["group"], source)


def say(text):
    print(f"setup: {text}", flush=True)


def install(store, catalog, wanted):
    """Installs what is missing or altered, package by package."""
    started = time.monotonic()
    with store.lock(lambda: say("another setup is running, waiting for it")):
        todo = [item for item in wanted if _needs_work(store, item)]
        try:
            _install_all(store, catalog, todo)
        finally:
            store.save_notes()  # what was finished stays finished, whatever happened after it
    if todo:
        say(f"done in {time.monotonic() - started:.1f} s; {store.root} has everything")


def _needs_work(store, item):
    problem = store.problem(item)
    if problem and "altered" in problem:
        say(f"{problem}; installing it again")
    return bool(problem)


def _install_all(store, catalog, todo):
    by_package = collections.OrderedDict()
    for item in todo:
        by_package.setdefault(item.source.package, []).append(item)
    _check_space(store, catalog, by_package)
    for package_id, members in by_package.items():
        content = _content(store, catalog, package_id, {item.source.member for item in members})
        for item in members:
            _install_one(store, item, content[item.source.member])
        _report(members)
        if package_id and all(item.group == "test" for item in members):
            packages.forget(store, catalog.packages[package_id])  # large, and of no use once unpacked


def _content(store, catalog, package_id, members):
    if package_id is None:
        return {member: (manifest.REPOSITORY / member).read_bytes() for member in members}
    try:
        archive = packages.fetch(store, catalog.packages[package_id], say)
        return packages.read_members(archive, members)
    except packages.FetchError as error:
        raise SetupError(str(error)) from None


def _check_space(store, catalog, by_package):
    needed = sum(catalog.packages[name]["size"] for name in by_package if name)
    needed += sum(item.size for members in by_package.values() for item in members)
    free = packages.free_bytes(store.root)
    if free < needed * 1.1:
        raise SetupError(f"{store.root} needs {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free. Free some, or set OCELLUS_CACHE.")


def _install_one(store, item, content):
    source = item.source
    if source.converter:
        _expect(content, source.member_sha256, source.member)
        say(f"converting {item.path.rsplit('/', 1)[-1]}")
        content = importlib.import_module(f"convert.{source.converter}").convert(content)
    _expect(content, item.sha256, item.path)
    store.place(item, content)


def _expect(content, sha256, name):
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SetupError(f"{name} came out with SHA-256 {found}, expected {sha256}; it was not installed. "
                         "Is models/manifest.toml the one of this commit?")


def _report(members):
    if len(members) == 1:
        say(f"installed {members[0].path} ({members[0].size / 1e6:.1f} MB)")
    else:
        folder = members[0].path.split("/", 1)[0]
        say(f"installed {len(members)} files in {folder}/ ({sum(item.size for item in members) / 1e6:.1f} MB)")
