#!/usr/bin/env python3
"""Writes labels/relations.tsv and labels/synonyms.tsv: how the general concepts relate, and what else they are called.

Sources: general.tsv, groups.tsv, group_synsets.tsv, relation_rules.tsv, and WordNet 3.0's data.noun and index.noun
(Debian package wordnet-base 1:3.0-37, SHA-256 in EXPECTED).

  make_relations.py [--wordnet /usr/share/wordnet]   rewrite both tables
  make_relations.py --check                          change nothing, fail if a table contradicts itself or the labels

A class is narrower than each group it is a member of, a group narrower than another if WordNet has the one above the
other; relation_rules.tsv says where the two differ from what a thing is. What follows from other relations is left out.
A word of a concept's synset is a synonym if that synset is the word's first meaning in WordNet (so "automobile" names
a car and "machine" does not), no other concept has the word as its name, and no rule forbids it.
"""

import argparse
import hashlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import make_labels  # noqa: E402
from make_labels import LABELS, rows  # noqa: E402

EXPECTED = {
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
}


class Vocabulary:
    """Ids, names, synsets and group members of all public concepts."""

    def __init__(self):
        classes = list(rows(LABELS / "general.tsv"))[1:]
        groups = list(rows(LABELS / "groups.tsv"))[1:]
        self.names = {row[1]: row[2] for row in classes} | {row[0]: row[1] for row in groups}
        self.ids = {name: concept for concept, name in self.names.items()}
        self.synsets = {row[1]: row[3] for row in classes} | self._group_synsets()
        self.members = {row[0]: [classes[int(i)][1] for i in row[2].split(",")] for row in groups}

    def _group_synsets(self):
        found = {}
        for row in list(rows(LABELS / "group_rules.tsv"))[1:]:
            found[self.ids[row[0]]] = (row + ["", ""])[2].split(",")[0]
        for name, wnid in list(rows(LABELS / "group_synsets.tsv"))[1:]:
            found[self.ids[name]] = wnid
        return found


def check_sources(folder):
    for name, expected in EXPECTED.items():
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            sys.exit(f"{folder / name} has SHA-256 {found}, expected {expected}")


def ruled(kind):
    return {(row[1], row[2]) for row in list(rows(LABELS / "relation_rules.tsv"))[1:] if row[0] == kind}


def broader(vocabulary, above):
    """Concept -> all broader concepts."""
    up = {concept: {"n" + offset for offset in make_labels.ancestors(wnid[1:], above)}
          for concept, wnid in vocabulary.synsets.items()}
    edges = {concept: set() for concept in vocabulary.names}
    for group, members in vocabulary.members.items():
        for member in members:
            edges[member].add(group)
        for other in vocabulary.members:
            if other != group and vocabulary.synsets[other] in up[group]:
                edges[group].add(other)
    for narrow, broad in ruled("no"):
        edges[vocabulary.ids[narrow]].discard(vocabulary.ids[broad])
    for narrow, broad in ruled("yes"):
        edges[vocabulary.ids[narrow]].add(vocabulary.ids[broad])
    return edges


def reachable(edges, start):
    found, todo = set(), list(edges[start])
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += edges[current]
    return found


def reduced(edges):
    """Without the relations that follow from others."""
    return {concept: {broad for broad in near if not any(broad in reachable(edges, other) for other in near if other != broad)}
            for concept, near in edges.items()}


def relation_table(edges):
    lines = ["subject\tpredicate\tobject"]
    for narrow, near in edges.items():
        for broad in sorted(near):
            lines.append(f"{narrow}\thypernym\t{broad}")
    hyponyms = sorted((broad, narrow) for narrow, near in edges.items() for broad in near)
    lines += [f"{broad}\thyponym\t{narrow}" for broad, narrow in hyponyms]
    return "\n".join(lines) + "\n"


def read_words(folder):
    """Offset -> words of the synset; word in lower case -> offset of its first meaning."""
    words, first = {}, {}
    for line in (folder / "data.noun").read_text(encoding="ascii").splitlines():
        if not line.startswith("  "):
            fields = line.split()
            words[fields[0]] = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
    for line in (folder / "index.noun").read_text(encoding="ascii").splitlines():
        if not line.startswith("  "):
            fields = line.split()
            first[fields[0].replace("_", " ")] = fields[6 + int(fields[3])]
    return words, first


def synonym_table(vocabulary, folder):
    words, first = read_words(folder)
    taken, misleading = {name.lower() for name in vocabulary.names.values()}, ruled("word")
    lines = ["id\tlanguage\tname"]
    for concept, name in vocabulary.names.items():
        offset, plain = vocabulary.synsets[concept][1:], name.split(" (")[0].lower()
        candidates = [plain] if plain != name.lower() else []
        candidates += [word for word in words[offset] if first[word.lower()] == offset and word.lower() != plain]
        lines += [f"{concept}\ten\t{word}" for word in candidates
                  if word.lower() not in taken and (name, word) not in misleading]
    return "\n".join(lines) + "\n"


def check(vocabulary):
    edges = {concept: set() for concept in vocabulary.names}
    down = set()
    for subject, predicate, other in list(rows(LABELS / "relations.tsv"))[1:]:
        if not {subject, other} <= set(edges) or predicate not in ("hypernym", "hyponym"):
            sys.exit(f"relations.tsv: {subject} {predicate} {other} is not between two concepts")
        if predicate == "hypernym":
            edges[subject].add(other)
        else:
            down.add((other, subject))
    pairs = {(narrow, broad) for narrow, near in edges.items() for broad in near}
    if pairs != down:
        sys.exit("relations.tsv: hypernyms and hyponyms are not each other's inverse")
    if any(concept in reachable(edges, concept) for concept in edges) or reduced(edges) != edges:
        sys.exit("relations.tsv: a concept is broader than itself, or a relation follows from others")
    table = list(rows(LABELS / "synonyms.tsv"))[1:]
    names = {(concept, name.lower()) for concept, _, name in table}
    taken = {name.lower() for name in vocabulary.names.values()}
    if len(names) != len(table) or any(c not in edges or name in taken for c, name in names):
        sys.exit("synonyms.tsv: a word stands twice, is a concept's name, or belongs to no concept")
    print(f"relations: {len(pairs)} pairs and {len(table)} synonyms are in order")


def main():
    parser = argparse.ArgumentParser(description="Write the relations and synonyms of the general concepts.")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    vocabulary = Vocabulary()
    if not arguments.check:
        check_sources(arguments.wordnet)
        edges = reduced(broader(vocabulary, make_labels.read_hypernyms(arguments.wordnet)))
        (LABELS / "relations.tsv").write_text(relation_table(edges), encoding="utf-8")
        (LABELS / "synonyms.tsv").write_text(synonym_table(vocabulary, arguments.wordnet), encoding="utf-8")
    check(vocabulary)


if __name__ == "__main__":
    main()
