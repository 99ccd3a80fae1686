#!/usr/bin/env python3
"""Runs the vendors' unmodified clients against a freshly started server.

usage: clients/run.py [--binary PATH] [SUITE ...]     (suites: python26 grpc js sdk runner formats fuzz crash)

Needs only the standard library. Each client lives in an environment of its own, kept in the
per-user cache under the hash of its pins, so that a second run installs nothing.
"""
import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "kit"))
import harness  # noqa: E402  (the path is set just above)
import photographs  # noqa: E402

# Suite, and the folder whose pins it runs with.
PYTHON_SUITES = {"python26": "python26", "grpc": "grpc", "sdk": "sdk", "runner": "runner", "formats": "formats", "fuzz": "fuzz", "crash": "grpc"}
SUITES = ["python26", "grpc", "js", "sdk", "runner", "formats", "fuzz", "crash"]


def environment(name):
    """Returns the Python of the pinned environment `name`, made on first use."""
    pins = HERE / name / "requirements.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:16]
    home = harness.cache_dir() / "clients" / f"{name}-{digest}"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        print(f"  installing the pinned Python packages of clients/{name}", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", pins], check=True)
        (home / "complete").touch()
    return python


def node_modules():
    """Returns a folder holding the pinned npm packages and the JavaScript suite."""
    lock = HERE / "js" / "package-lock.json"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    home = harness.cache_dir() / "clients" / f"js-{digest}"
    if not (home / "complete").exists():
        print("  installing the pinned npm packages of clients/js", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "js" / name, home / name)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=home, check=True)
        (home / "complete").touch()
    for test in (HERE / "js").glob("*.test.mjs"):
        shutil.copy(test, home / test.name)
    return home


def command(suite):
    if suite == "js":
        home = node_modules()
        return ["node", "--test", *sorted(str(p) for p in home.glob("*.test.mjs"))], home
    python = environment(PYTHON_SUITES[suite])
    return [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=3", HERE / suite], HERE / suite


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("OCELLUS_BINARY", ROOT / "target" / "debug" / "ocellus"))
    parser.add_argument("suites", nargs="*", default=SUITES)
    args = parser.parse_args()
    binary = pathlib.Path(args.binary).resolve()
    if not binary.exists():
        sys.exit(f"no server binary at {binary}: run `cargo build -p ocellus`, or name one with --binary")
    failed = []
    with harness.photo_server() as photos_url:
        for suite in args.suites or SUITES:
            started = time.monotonic()
            argv, cwd = command(suite)
            env = dict(os.environ, PYTHONPATH=str(HERE / "kit"), PYTHONDONTWRITEBYTECODE="1",
                       OCELLUS_BINARY=str(binary), OCELLUS_TEST_PHOTOS_URL=photos_url,
                       OCELLUS_TEST_PHOTOS=str(harness.photos_dir()), OCELLUS_TEST_EXPECTATIONS=photographs.as_json())
            if suite in ("runner", "crash"):  # they start servers of their own
                code = subprocess.run(argv, cwd=cwd, env=env).returncode
            else:
                with harness.Server(binary) as server:
                    env.update(server.environment())
                    code = subprocess.run(argv, cwd=cwd, env=env).returncode
                    if code:
                        print(server.log_tail(), file=sys.stderr)
            print(f"clients: {suite} {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s", flush=True)
            if code:
                failed.append(suite)
    if failed:
        sys.exit(f"clients: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
