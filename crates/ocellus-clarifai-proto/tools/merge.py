"""Makes one superset of the generations: the newest wins, what older ones had besides is added where numbers and names are free."""

from dataclasses import dataclass, field

import tables as t


@dataclass
class Notes:
    """What DIFFERENCES.md and intended_differences.txt are written from."""

    added: list = field(default_factory=list)  # symbols that the newest published client lacks
    clashes: list = field(default_factory=list)  # older definitions that could not be kept
    options: list = field(default_factory=list)  # fields whose JSON options changed between generations
    routes: list = field(default_factory=list)  # bindings claimed twice
    shown: list = field(default_factory=list)  # (era, message, field) printed when empty then, not now


def describe(f):
    label = f"{f.label} " if f.label else ""
    return f"{label}{f.type} {f.name} = {f.number}"


def merge_fields(message, older, notes):
    by_name = {f.name: f for f in message.fields}
    by_number = {f.number: f for f in message.fields}
    for f in older.fields:
        same_name, same_number = by_name.get(f.name), by_number.get(f.number)
        if same_name is None and same_number is None:
            # A client of today must not see an empty field of yesterday, so the mark moves to the era's list.
            if message.era != f.era and f.options.pop("cl_show_if_empty", None):
                notes.shown.append((f.era, message.name, f.name))
            message.fields.append(f)
            by_name[f.name] = by_number[f.number] = f
            notes.added.append(f"field {message.name} {describe(f)}")
        elif same_name is not None and same_name is same_number:
            if (f.type, f.label) != (same_name.type, same_name.label):
                notes.clashes.append((f.era, message.name, describe(f), describe(same_name), "type"))
            compare_options(message, f, same_name, notes)
        else:
            kind = "number" if same_name is not None else "name"
            kept = same_name if same_name is not None else same_number
            notes.clashes.append((f.era, message.name, describe(f), describe(kept), kind))


def compare_options(message, old, new, notes):
    for key in sorted(set(old.options) | set(new.options)):
        before, now = old.options.get(key), new.options.get(key)
        if before == now:
            continue
        notes.options.append((old.era, f"{message.name}.{new.name}", key, before, now))
        if key == "cl_show_if_empty" and before:
            notes.shown.append((old.era, message.name, new.name))


def merge_enum(enum, older, taken, notes):
    names = {v.name for v in enum.values}
    numbers = {v.number: v for v in enum.values}
    scope = enum.name.rsplit(".", 1)[0]
    for v in older.values:
        if v.name in names:
            continue
        if v.number in numbers or (scope, v.name) in taken:
            kept = numbers.get(v.number)
            keeps = f"{kept.name} = {kept.number}" if kept else f"the name {v.name} in another enum"
            notes.clashes.append((v.era, enum.name, f"{v.name} = {v.number}", keeps, "value"))
            continue
        enum.values.append(v)
        taken.add((scope, v.name))
        notes.added.append(f"value {enum.name} {v.name} = {v.number}")


def merge_block(block, older, taken, notes):
    if isinstance(block, t.Enum):
        merge_enum(block, older, taken, notes)
        return
    merge_fields(block, older, notes)
    nested = {n.name: n for n in block.nested}
    for n in older.nested:
        if n.name in nested:
            merge_block(nested[n.name], n, taken, notes)
        else:
            block.nested.append(n)
            add_block(n, taken, notes)


def add_block(block, taken, notes):
    """Reports a whole block that the newest client lacks, and everything in it."""
    if block.era != t.CURRENT:
        kind = "enum" if isinstance(block, t.Enum) else "message"
        notes.added.append(f"{kind} {block.name}")
    register(block, taken)
    for n in getattr(block, "nested", []):
        add_block(n, taken, notes)


def register(block, taken):
    if isinstance(block, t.Enum):
        taken.update((block.name.rsplit(".", 1)[0], v.name) for v in block.values)


def merge_blocks(generations, notes):
    merged, taken = {}, set()
    for blocks in generations:
        for block in blocks:
            if block.name == "clarifai.api.status.StatusCode":
                continue  # made from status_codes.tsv, which has all generations
            if block.name in merged:
                merge_block(merged[block.name], block, taken, notes)
            else:
                merged[block.name] = block
                add_block(block, taken, notes)
    return merged


def field_types(block):
    """The types that a block and the blocks inside it mention."""
    if isinstance(block, t.Enum):
        return
    for f in block.fields:
        yield f.type.split(", ")[1].rstrip(">") if f.type.startswith("map<") else f.type
    for n in block.nested:
        yield from field_types(n)


def place(merged):
    """Puts blocks of the 2018 generation beside the resources that use them, the others into legacy.proto."""
    resources = "proto/clarifai/api/resources.proto"
    stray = {n: b for n, b in merged.items() if b.era in (t.Y2018, t.OWN)}
    todo = [b for b in merged.values() if b.file == resources and b.name not in stray]
    while todo:
        for name in field_types(todo.pop()):
            while name not in merged and "." in name:
                name = name.rsplit(".", 1)[0]
            if name in stray:
                block = stray.pop(name)
                block.file = resources
                todo.append(block)
    for block in stray.values():
        block.file = "proto/clarifai/api/legacy.proto"


def merge_rpcs(generations, own, scope_numbers, notes):
    merged, claimed = {}, {}
    for rpcs in generations:
        for rpc in rpcs.values():
            kept = merged.setdefault(rpc.name, rpc)
            if kept is not rpc:
                if (kept.request, kept.response) != (rpc.request, rpc.response):
                    was, now = f"{rpc.request} -> {rpc.response}", f"{kept.request} -> {kept.response}"
                    notes.clashes.append((rpc.era, f"rpc {rpc.name}", was, now, "signature"))
            else:
                if rpc.era != t.CURRENT:
                    notes.added.append(f"rpc {rpc.name}")
            bindings, kept_bindings = rpc.bindings, kept.bindings
            if kept is rpc:
                rpc.bindings = kept_bindings = []
            for b in bindings:
                claim(kept, kept_bindings, b, claimed, notes)
    for row in own:
        add_own(row, merged, claimed, scope_numbers, notes)
    return merged


def claim(rpc, bindings, b, claimed, notes):
    key = (b.method, t.template(b.path))
    owner = claimed.setdefault(key, rpc.name)
    if owner != rpc.name:
        notes.routes.append((b.method, b.path, owner, rpc.name, b.era))
        if b.era != t.CURRENT:
            return
    elif any((x.method, t.template(x.path)) == key for x in bindings):
        return
    bindings.append(b)
    if b.era != t.CURRENT:
        notes.added.append(f"binding {rpc.name} {b.method} {b.path}")


def add_own(row, merged, claimed, scope_numbers, notes):
    rpc = merged.get(row["rpc"])
    if rpc is None:
        rpc = merged[row["rpc"]] = t.Rpc(row["rpc"], row["request"], row["response"], era=t.OWN)
        notes.added.append(f"rpc {rpc.name}")
    if row["path"]:
        b = t.Binding(row["method"], row["path"], row["body"] or "", t.OWN)
        claim(rpc, rpc.bindings, b, claimed, notes)
    if row["auth"]:
        rpc.auth = row["auth"]
        rpc.scopes = [scope_numbers[s] for s in row["scopes"].split(",") if s]


VERBS = {"Get": "GET", "List": "GET", "My": "GET", "Post": "POST", "Patch": "PATCH", "Put": "PUT", "Delete": "DELETE"}


def losers(routes):
    """Of two methods on one route, the one whose name does not fit the verb; the other answers."""
    result = []
    for method, path, first, second, _ in routes:
        fits = [r for r in (first, second) if any(r.startswith(p) and v == method for p, v in VERBS.items())]
        winner = fits[0] if fits else first
        loser = second if winner == first else first
        result.append((loser, method, path, winner))
    return result
