#!/usr/bin/env python3
"""Writes labels/names.tsv: what the general concepts are called in languages other than English.

  npm pack cldr-annotations-full@48.2.0 @openstreetmap/id-tagging-schema@7.2.0     (into FOLDER)
  make_names.py FOLDER     rewrite names.tsv from the packages and labels/own_names.tsv
  make_names.py --check    change nothing, fail if names.tsv does not fit the labels

For a concept and a language the first of these sources that has a name gives it; `source` says which:
  cldr  the name of an emoji, from the Unicode CLDR (name_sources.tsv says which emoji)
  osm   the name of a preset of OpenStreetMap's tagging schema (name_sources.tsv says which)
  own   labels/own_names.tsv, translated for this project and not reviewed by a native speaker of each language
name_drops.tsv lists names of the first two that were read and found wrong. Where no source has a name there is no
row, and a client is told the English name with its language.
"""

import argparse
import collections
import hashlib
import json
import sys
import tarfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_labels import LABELS, rows  # noqa: E402

PACKAGES = {
    "cldr": ("cldr-annotations-full-48.2.0.tgz", "28576e51225deb51e3ddd734b0f824a0079682cb5d8c27faa9f68149317a14d1"),
    "osm": ("openstreetmap-id-tagging-schema-7.2.0.tgz", "5c95a50a232a699778e821b19b8c4b92f1719193ffb9069a88545ed9dff55b6b"),
}
# Language of names.tsv -> locales of either package, the better first. zh is written in simplified characters.
LOCALES = {"ja": ["ja"], "zh": ["zh-CN", "zh"], "es": ["es"], "de": ["de"], "fr": ["fr"], "ru": ["ru"],
           "it": ["it"], "pt": ["pt-BR", "pt"], "nl": ["nl"], "ko": ["ko"], "pl": ["pl"], "tr": ["tr"], "uk": ["uk"],
           "ar": ["ar"], "sv": ["sv"], "cs": ["cs"]}
CAPITALISED = {"de"}  # writes nouns with a capital letter
OTHER_SCRIPTS = {"ja", "zh", "ru", "ko", "uk", "ar"}


def open_package(folder, source):
    name, expected = PACKAGES[source]
    content = (folder / name).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        sys.exit(f"{folder / name} has SHA-256 {found}, expected {expected}")
    return tarfile.open(folder / name)


def read_json(archive, member):
    try:
        return json.load(archive.extractfile(member))
    except KeyError:
        return None


def cldr_names(folder):
    """(language, emoji) -> name."""
    found = {}
    with open_package(folder, "cldr") as archive:
        for language, locales in LOCALES.items():
            for locale in reversed(locales):
                document = read_json(archive, f"package/annotations/{locale}/annotations.json")
                annotations = document["annotations"]["annotations"] if document else {}
                found |= {(language, emoji): entry["tts"][0] for emoji, entry in annotations.items() if entry.get("tts")}
    return found


def osm_names(folder):
    """(language, preset) -> name, where it is plain."""
    found = {}
    with open_package(folder, "osm") as archive:
        for language, locales in LOCALES.items():
            for locale in reversed(locales):
                document = read_json(archive, f"package/dist/translations/{locale}.json")
                presets = document[locale]["presets"]["presets"] if document else {}
                for preset, entry in presets.items():
                    name = entry.get("name", "")
                    if is_plain(language, name):
                        found[language, preset] = name if language in CAPITALISED else lower_first(language, name)
    return found


def is_plain(language, name):
    """Whether a preset's name is one word or phrase of the language, as a dictionary would have it."""
    if not name or set("(/,（") & set(name) or (language in OTHER_SCRIPTS and name.isascii()):
        return False  # explains itself, gives two names, or was left in English
    return language in CAPITALISED or not any(word[0].isupper() for word in name.split()[1:])


def lower_first(language, name):
    if language == "tr":
        return {"I": "ı", "İ": "i"}.get(name[0], name[0].lower()) + name[1:]
    return name if name[:2].isupper() else name[0].lower() + name[1:]


def read_vocabulary():
    """Name -> id."""
    classes = {row[2]: row[1] for row in list(rows(LABELS / "general.tsv"))[1:]}
    return classes | {row[1]: row[0] for row in list(rows(LABELS / "groups.tsv"))[1:]}


def read_own(vocabulary):
    """(concept, language) -> name. A dash or an empty field means that no name is known."""
    table = list(rows(LABELS / "own_names.tsv"))
    languages = table[0][1:]
    found = {}
    for row in table[1:]:
        if row[0] not in vocabulary:
            sys.exit(f"own_names.tsv: {row[0]} is no concept")
        if len(row) != len(languages) + 1:
            sys.exit(f"own_names.tsv: {row[0]} has {len(row) - 1} names, not {len(languages)}")
        found |= {(row[0], language): name for language, name in zip(languages, row[1:]) if name not in ("", "-")}
    return found


def make_table(folder):
    vocabulary = read_vocabulary()
    dropped = {tuple(row) for row in list(rows(LABELS / "name_drops.tsv"))[1:]}
    cldr, osm, own = cldr_names(folder), osm_names(folder), read_own(vocabulary)
    keys = {row[0]: (row + [""])[1:3] for row in list(rows(LABELS / "name_sources.tsv"))[1:]}
    lines = ["id\tlanguage\tname\tsource"]
    for name, concept in vocabulary.items():
        emoji, preset = keys.get(name, ("", ""))
        for language in LOCALES:
            candidates = [(cldr.get((language, emoji)), "cldr"), (osm.get((language, preset)), "osm")]
            candidates = [c for c in candidates if c[0] and (name, language, c[1]) not in dropped]
            candidates += [(own.get((name, language)), "own")]
            if candidates[0][0]:
                lines.append(f"{concept}\t{language}\t{candidates[0][0]}\t{candidates[0][1]}")
    return "\n".join(lines) + "\n"


def check():
    ids = set(read_vocabulary().values())
    table = list(rows(LABELS / "names.tsv"))[1:]
    wrong = [row for row in table if len(row) != 4 or row[0] not in ids or row[1] not in LOCALES
             or row[2] != row[2].strip() or not row[2] or row[3] not in ("cldr", "osm", "own")]
    if wrong or len({(row[0], row[1]) for row in table}) != len(table):
        sys.exit(f"names.tsv: a row does not fit, or a concept has two names in one language {wrong[:3]}")
    counts = collections.Counter((row[1], row[3]) for row in table)
    for language in LOCALES:
        parts = {source: counts[language, source] for source in ("cldr", "osm", "own")}
        print(f"names: {language} {sum(parts.values()):4} of {len(ids)}  {parts}")


def main():
    parser = argparse.ArgumentParser(description="Write the names of the general concepts in other languages.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not arguments.check:
        if not arguments.folder:
            parser.error("name the folder of the packages, or --check")
        (LABELS / "names.tsv").write_text(make_table(arguments.folder), encoding="utf-8")
    check()


if __name__ == "__main__":
    main()
