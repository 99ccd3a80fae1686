"""Writes the tables that the crate has as Rust constants."""

import re

import merge
import tables as t

HEAD = "//! {about}; written by tools/make_proto.py.\n\n"
SKIP = "#[rustfmt::skip] // one row, one line\n"
# The HTTP status that goes with a code, where it was seen on the wire or its name says it.
HTTP = {
    10000: 200, 10010: 207, 10020: 400, 10050: 307, 10070: 202, 11005: 429, 11008: 401, 11009: 401, 11101: 404,
    11102: 401, 11103: 405, 21200: 404, 21202: 400, 30100: 400, 40003: 400, 90400: 400, 90500: 500, 99009: 500,
}
# Texts of the first generation that later ones changed.
DESCRIPTION_2018 = {30002: "Download failed; check URL"}
DESCRIPTION_NOW = {21100: "Model is trained and ready for deployment"}


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def optional(value):
    return "None" if value is None else f"Some({value})"


def humanized(name):
    words = name.replace("_", " ").lower()
    return words[:1].upper() + words[1:]


def description(row):
    official, other = row["description_on_wire(official table 2022)"], row["other_description(2025 docs/observed)"]
    if official:
        return official
    if other and not re.search(r'HTTP|wire|"|status of an input', other):
        return other
    return humanized((row["name_current(12.6.0)"] or row["name_in_2.6.2(2019)"]).split(" | ")[0])


def http_status(number):
    if number in HTTP:
        return HTTP[number]
    return 500 if 98000 <= number < 99000 else None


def status_codes(codes):
    out = [HEAD.format(about="Status codes with their names and texts per era")]
    out.append("use crate::StatusCodeInfo;\n\n/// All status codes by ascending number.\n" + SKIP + "pub const STATUS_CODES: &[StatusCodeInfo] = &[\n")
    for row in sorted(codes, key=lambda r: int(r["number"])):
        number = int(row["number"])
        names = [n for n in row["name_current(12.6.0)"].split(" | ") if n]
        old_name = row["name_in_2.6.2(2019)"]
        text = description(row)
        now = DESCRIPTION_NOW.get(number, text)
        old = DESCRIPTION_2018.get(number, text)
        out.append(
            "    StatusCodeInfo { "
            f"number: {number}, name: {literal(names[0] if names else old_name)}, "
            f"name_2018: {optional(literal(old_name) if old_name else None)}, "
            f"description: {literal(now)}, description_2018: {literal(old)}, "
            f"http_status: {optional(http_status(number))} }},\n"
        )
    return "".join(out) + "];\n"


def documented_2018(routes):
    return sorted({(r["method"], r["path"]) for r in routes if r["seed"] == "000"})


def documented_2023(routes):
    """Operations, and the groups that the page shows closed; of an open group it lists what is inside."""
    listed = {(r["method"], r["path"]) for r in routes if r["seed"] == "003"}

    def is_open(group):
        return any((p == group and m != "*") or p.startswith(group + "/") for m, p in listed)

    return sorted((m, p) for m, p in listed if m != "*" or not is_open(p))


def pairs(name, doc, items):
    body = "".join(f"    ({', '.join(literal(x) for x in item)}),\n" for item in items)
    kind = ", ".join(["&str"] * len(items[0]))
    return f"/// {doc}\n{SKIP}pub(crate) const {name}: &[({kind})] = &[\n{body}];\n\n"


def documented(rpcs, tab, notes):
    out = [HEAD.format(about="What the API documents of 2018 and 2023 list, and which generation a route comes from")]
    out.append(pairs("DOCUMENTED_2018", "Method and path of every operation of the 2018 document.", documented_2018(tab["routes"])))
    out.append(pairs(
        "DOCUMENTED_2023",
        "Method (`*`: a closed group of routes, at or below the path) and path without variable names of the 2023 document.",
        documented_2023(tab["routes"]),
    ))
    old = [(r.name, b.method, b.path, b.era) for r in rpcs for b in r.bindings if b.era != t.CURRENT]
    for era, name in ((t.Y2023, "BINDINGS_2023"), (t.Y2018, "BINDINGS_2018"), (t.OWN, "BINDINGS_DOCUMENT_ONLY")):
        rows = [o[:3] for o in old if o[3] == era]
        out.append(pairs(name, f"Bindings (method name, verb, path) known only from the {era} generation.", rows))
    known_2023 = sorted(set(tab["rpcs"][1]))
    out.append(f"/// Methods that the 2023 client has.\n{SKIP}pub(crate) const METHODS_2023: &[&str] = &[\n")
    out += [f"    {literal(n)},\n" for n in known_2023]
    out.append("];\n\n")
    lost = merge.losers(notes.routes)
    out.append(pairs("SHADOWED", "Bindings that another method of the same service answers: method, verb, path, the answering method.", lost))
    for era in (t.Y2018, t.Y2023):
        out.append(
            f"/// Fields that answers to clients of {era} print even when empty, beyond those marked in the descriptors:\n"
            "/// full name of the message, field.\n"
        )
        out.append(f"{SKIP}pub const SHOWN_EMPTY_IN_{era}: &[(&str, &str)] = &[\n")
        out += [f"    ({literal(m)}, {literal(f)}),\n" for e, m, f in sorted(set(notes.shown)) if e == era]
        out.append("];\n" if era == t.Y2023 else "];\n\n")
    return "".join(out)
