"""Writes the .proto files, the Rust tables and the lists of differences of this crate.

Usage: make_proto.py TABLES, where TABLES is the folder with messages.txt, rpcs.tsv and the other wire tables.
"""

import sys
from pathlib import Path

import emit
import merge
import report
import rust
import tables as t

CRATE = Path(__file__).resolve().parent.parent


def write(path, text):
    target = CRATE / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def main(folder):
    tab, notes = t.read_tables(folder), merge.Notes()
    scope_names = {int(r["number"]): r["scope"] for r in tab["scopes"]}
    messages = merge.merge_blocks(tab["blocks"], notes)
    merge.place(messages)
    numbers = {name: number for number, name in scope_names.items()}
    rpcs = merge.merge_rpcs(tab["rpcs"], tab["own_rpcs"], numbers, notes)
    eras = [t.CURRENT, t.Y2023, t.Y2018, t.OWN]
    ordered = sorted(rpcs.values(), key=lambda r: eras.index(r.era))
    for _, name, _, era in emit.status_values(tab["codes"]):
        if era != t.CURRENT:
            notes.added.append(f"value clarifai.api.status.StatusCode {name}")

    for path in emit.FILES:
        text = emit.file_text(path, [b for b in messages.values() if b.file == path])
        if path.endswith("/service.proto"):
            text += "\n" + emit.service_text(ordered, messages, scope_names)
        write(path, text)
    for path, text in emit.EXTENSIONS.items():
        write(path, text.format(head=emit.HEAD))
    write("proto/clarifai/auth/scope/scope.proto", emit.scope_text(tab["scopes"], tab["scope_options"]))
    write("proto/clarifai/api/status/status_code.proto", emit.status_code_text(tab["codes"]))
    write("src/status_codes.rs", rust.status_codes(tab["codes"]))
    write("src/documented.rs", rust.documented(ordered, tab, notes))
    write("DIFFERENCES.md", report.differences(ordered, tab, notes))
    write("tools/intended_differences.txt", report.intended(notes))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
