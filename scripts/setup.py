#!/usr/bin/env python3
"""Installs the files that models/manifest.toml lists into the per-user cache, and checks their hashes.

  setup.py                  runtime and models, what `make serve` needs
  setup.py --group test     also the test photographs
  setup.py --group bench    also what `make bench` learns from
  setup.py --check          installs nothing; reads every file again and says what is missing or altered
  setup.py --print-paths    where things lie, as NAME=path lines

Needs Python 3.9 or newer with pip, and nothing else. A second run finds everything in place, touches no
network and ends in a blink. Nothing is written outside the cache.
"""

import argparse
import sys

sys.dont_write_bytecode = True  # keeps __pycache__ out of the source tree

if sys.version_info < (3, 9):
    sys.exit("setup: needs Python 3.9 or newer, this is %d.%d" % sys.version_info[:2])

from setup_steps import cache, manifest, plan  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description="Install models, inference runtime and test photographs.")
    parser.add_argument("--group", choices=sorted(plan.GROUPS), default="serve", help="what to install")
    parser.add_argument("--check", action="store_true", help="install nothing, verify every hash")
    parser.add_argument("--print-paths", action="store_true", help="print where the installed files lie")
    return parser.parse_args()


def check(store, items):
    """Reports on every file; the exit status."""
    bad = 0
    for item in items:
        problem = store.problem(item, thorough=True)
        if problem:
            bad += 1
            print(f"setup: {problem}\n       cure: run `python3 scripts/setup.py --group {item.group}` again", file=sys.stderr)
    if not bad:
        print(f"setup: {len(items)} files, every hash is right")
    return 1 if bad else 0


def main():
    arguments = parse_arguments()
    try:
        catalog = manifest.load()
        store = cache.Cache()
        if arguments.print_paths:
            for name, path in store.paths(catalog).items():
                print(f"{name}={path}")
            return 0
        items = plan.items(catalog, arguments.group)
        if arguments.check:
            return check(store, items)
        if not any(store.problem(item) for item in items):
            store.save_notes()
            print(f"setup: everything is in place in {store.root}")
            return 0
        plan.install(store, catalog, items)
        return 0
    except plan.SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"setup: {error}; the cache is {cache.root_directory()}, OCELLUS_CACHE sets another place", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted; what was finished is kept, run it again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
