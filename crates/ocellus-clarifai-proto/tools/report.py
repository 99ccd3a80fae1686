"""Writes the lists of differences: one for readers, one for compare_with_wheel.py."""

import merge
import tables as t

ERAS = {t.Y2023: "2023", t.Y2018: "2018", t.OWN: "2018 document"}
KINDS = {
    "type": "the type changed",
    "number": "the name moved to another number",
    "name": "the number has another name",
    "value": "the enum value is taken",
    "signature": "the method's types changed",
}


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    out += ["| " + " | ".join(f"`{c}`" if code and c else str(c) for c, code in row) + " |" for row in rows]
    return out + [""]


def differences(rpcs, tab, notes):
    out = [
        "# Differences between the generations", "",
        "Written by `tools/make_proto.py`. The messages are one superset of the clients of 2018 to 2019 (2.6.2), 2023 (9.11.5)",
        "and today (12.6.0). A field stands at the number that it had. Where two generations contradict each other, the newest",
        "one is kept, and the older definition is listed here.", "",
        "## Kept from the newest, lost from an older generation", "",
    ]
    rows = [[(ERAS[e], 0), (where.removeprefix("clarifai.api."), 1), (old, 1), (kept, 1), (KINDS[k], 0)]
            for e, where, old, kept, k in notes.clashes]
    out += table(["era", "where", "was", "is", "why"], rows)
    out += ["## JSON options that changed", "", "The newest generation's option is in the descriptors.", ""]
    rows = [[(ERAS[e], 0), (name.removeprefix("clarifai.api."), 1), (key, 1), (str(old), 1), (str(new), 1)]
            for e, name, key, old, new in notes.options if key != "deprecated"]
    out += table(["era", "field", "option", "was", "is"], rows)
    out += ["## Routes that two methods claim", "",
            "The method whose name fits the verb answers. Bindings of an older generation that lose are not in the descriptors.", ""]
    rows = [[(m, 0), (p, 1), (winner, 1), (loser, 1)] for loser, m, p, winner in merge.losers(notes.routes)]
    out += table(["verb", "path", "answers", "also claimed by"], rows)
    for era in (t.Y2023, t.Y2018, t.OWN):
        names = [r.name for r in rpcs if r.era == era]
        out += [f"## Methods only of {ERAS[era]}", "", ", ".join(f"`{n}`" for n in names), ""]
    out += ["The last ones have no number on any published wire; their messages number the fields in the order of the document.", ""]
    out += ["## Fields and values added back", ""]
    out += [f"- `{a.replace('clarifai.api.', '')}`" for a in notes.added if a.split()[0] in ("field", "value")]
    return "\n".join(out) + "\n"


def intended(notes):
    head = [
        "# What this crate has beyond the descriptors of clarifai-grpc 12.6.0. Written by tools/make_proto.py;",
        "# compare_with_wheel.py fails on any difference that is not here, and on any line here that is none.",
    ]
    return "\n".join(head + sorted(set(notes.added))) + "\n"
