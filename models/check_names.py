#!/usr/bin/env python3
"""Compares labels/names.tsv with printed dictionaries: how many names does a dictionary of the language also give?

  apt-get download dict-freedict-eng-deu dict-freedict-eng-fra dict-freedict-eng-spa dict-freedict-eng-rus \\
      dict-freedict-eng-jpn      (Debian 12; unpack each with dpkg-deb -x into FOLDER)
  check_names.py FOLDER [--list LANGUAGE]

Nothing is taken from the dictionaries (FreeDict, GPL and CC BY-SA): they only say whether a name is usual. A name that
an entry lacks need not be wrong; it may be another word for the same thing or the same word in other characters.
"""

import argparse
import collections
import gzip
import string
import sys
import unicodedata
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_labels import LABELS, rows  # noqa: E402
from make_names import read_vocabulary  # noqa: E402

DICTIONARIES = {"de": "deu", "fr": "fra", "es": "spa", "ru": "rus", "ja": "jpn"}
DIGITS = {digit: value for value, digit in
          enumerate(string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/")}


def number(text):
    value = 0
    for digit in text:
        value = value * 64 + DIGITS[digit]
    return value


def read_dictionary(folder, code):
    """Head word in lower case -> the text of its entries."""
    base = folder / "usr/share/dictd" / f"freedict-eng-{code}"
    text = gzip.decompress(base.with_name(base.name + ".dict.dz").read_bytes())
    entries = collections.defaultdict(str)
    for line in base.with_name(base.name + ".index").read_text(encoding="utf-8").splitlines():
        head, start, size = line.split("\t")[:3]
        entries[head.lower()] += text[number(start) : number(start) + number(size)].decode("utf-8") + " "
    return entries


def plain(text):
    """Lower case, without accents (Japanese keeps its voicing marks) and with one kind of hyphen and ligature."""
    for old, new in (("ё", "е"), ("œ", "oe"), ("’", "'"), ("‐", "-"), ("\N{NO-BREAK SPACE}", " ")):
        text = text.replace(old, new)
    text = unicodedata.normalize("NFD", text.lower())
    kept = (c for c in text if not unicodedata.combining(c) or c in "\u3099\u309a\u0306")
    return unicodedata.normalize("NFC", "".join(kept))


def compare(language, entries, names, heads, listing):
    counts = collections.Counter()
    for concept, words in heads.items():
        if (concept, language) not in names:
            continue
        name, source = names[concept, language]
        entry = "".join(entries.get(word.lower(), "") for word in words)
        result = "no entry" if not entry else "given" if plain(name) in plain(entry) else "not given"
        counts[source, result] += 1
        if listing and result == "not given":
            print(f"{words[0]} = {name} | {' '.join(entry.split())[:150]}")
    for source in ("cldr", "osm", "own"):
        given, other = counts[source, "given"], counts[source, "not given"]
        print(f"{language} {source:4}: {given:3} of {given + other:3} names with an entry are given there; "
              f"{counts[source, 'no entry']} have no entry")


def main():
    parser = argparse.ArgumentParser(description="Compare the names with FreeDict's dictionaries.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--list", choices=sorted(DICTIONARIES), help="show the names that an entry lacks")
    arguments = parser.parse_args()
    heads = {concept: [name.split(" (")[0], name.replace(" ", "-"), name.replace(" ", "")]
             for name, concept in read_vocabulary().items()}
    for concept, _, word in list(rows(LABELS / "synonyms.tsv"))[1:]:
        heads[concept].append(word)
    names = {(row[0], row[1]): (row[2], row[3]) for row in list(rows(LABELS / "names.tsv"))[1:]}
    for language, code in DICTIONARIES.items():
        if arguments.list in (None, language):
            compare(language, read_dictionary(arguments.folder, code), names, heads, arguments.list)


if __name__ == "__main__":
    main()
