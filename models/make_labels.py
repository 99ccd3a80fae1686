#!/usr/bin/env python3
"""Gives every general concept its id and writes the groups of concepts.

Sources: labels/general.tsv (index, id, name, wnid: names and WordNet ids are kept by hand, the id column is
filled in here), labels/group_rules.tsv, and WordNet's data.noun (Debian package wordnet-base), from which the
members of a group are read.

  make_labels.py [--wordnet /usr/share/wordnet]   rewrite general.tsv and groups.tsv
  make_labels.py --check                          change nothing, fail if general.tsv or group ids are out of date

An id is `ai_` and eight base-62 digits of the SHA-256 of the WordNet id, or of the group's name; it never
changes while that does not. Concepts that clients know by a published id carry that one.
"""

import argparse
import hashlib
import string
import sys
from pathlib import Path

LABELS = Path(__file__).resolve().parent / "labels"
DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
PUBLISHED = {"dog": "ai_8S2Vq3cR", "train": "ai_HLmqFqBf"}


def concept_id(key, name):
    if name in PUBLISHED:
        return PUBLISHED[name]
    number = int.from_bytes(hashlib.sha256(f"ocellus concept {key}".encode()).digest()[:8], "big")
    digits = ""
    for _ in range(8):
        number, digit = divmod(number, len(DIGITS))
        digits += DIGITS[digit]
    return f"ai_{digits}"


def rows(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")


def read_classes():
    """(name, wnid) in class order."""
    classes = [(row[2], row[3]) for row in list(rows(LABELS / "general.tsv"))[1:]]
    if len(classes) != 1000 or len({name.lower() for name, _ in classes}) != 1000:
        sys.exit("general.tsv needs 1000 classes with different names")
    return classes


def general_table(classes):
    lines = ["index\tid\tname\twnid"]
    lines += [f"{i}\t{concept_id(wnid, name)}\t{name}\t{wnid}" for i, (name, wnid) in enumerate(classes)]
    return "\n".join(lines) + "\n"


def read_hypernyms(folder):
    """Offset -> offsets of the synsets right above it."""
    above = {}
    for line in (folder / "data.noun").read_text(encoding="ascii").splitlines():
        if line.startswith("  "):
            continue  # the licence at the head of the file
        fields = line.split(" | ")[0].split()
        first = 4 + 2 * int(fields[3], 16)
        pointers = fields[first + 1 : first + 1 + 4 * int(fields[first])]
        above[fields[0]] = [pointers[i + 1] for i in range(0, len(pointers), 4) if pointers[i] in ("@", "@i")]
    return above


def ancestors(offset, above):
    found, todo = set(), [offset]
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += above[current]
    return found


def group_table(classes, above):
    below = {}
    for index, (_, wnid) in enumerate(classes):
        for offset in ancestors(wnid[1:], above):
            below.setdefault("n" + offset, set()).add(index)
    lines = ["id\tname\tmembers\tweight"]
    for row in list(rows(LABELS / "group_rules.tsv"))[1:]:
        name, weight, roots, plus, minus = (row + [""] * 5)[:5]
        members = set().union(*(below[root] for root in roots.split(",") if root))
        members |= {int(index) for index in plus.split(",") if index}
        members -= {int(index) for index in minus.split(",") if index}
        if not members:
            sys.exit(f"group {name} has no members")
        lines.append("\t".join([concept_id("group " + name, name), name, ",".join(map(str, sorted(members))), weight]))
    return "\n".join(lines) + "\n"


def check(classes):
    groups = list(rows(LABELS / "groups.tsv"))[1:]
    wrong = [row[1] for row in groups if row[0] != concept_id("group " + row[1], row[1])]
    names = [name.lower() for name, _ in classes] + [row[1].lower() for row in groups]
    ids = [concept_id(wnid, name) for name, wnid in classes] + [row[0] for row in groups]
    if wrong or [r[1] for r in groups] != [r[0] for r in list(rows(LABELS / "group_rules.tsv"))[1:]]:
        sys.exit(f"groups.tsv is out of date {wrong}")
    if len(set(names)) != len(names) or len(set(ids)) != len(ids):
        sys.exit("two concepts have the same name or id")
    if (LABELS / "general.tsv").read_text(encoding="utf-8") != general_table(classes):
        sys.exit("general.tsv is out of date")
    print(f"labels: {len(classes)} classes and {len(groups)} groups are in order")


def main():
    parser = argparse.ArgumentParser(description="Write the ids and groups of the general concepts.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    classes = read_classes()
    if not arguments.check:
        groups = group_table(classes, read_hypernyms(arguments.wordnet))
        (LABELS / "general.tsv").write_text(general_table(classes), encoding="utf-8")
        (LABELS / "groups.tsv").write_text(groups, encoding="utf-8")
    check(classes)


if __name__ == "__main__":
    main()
