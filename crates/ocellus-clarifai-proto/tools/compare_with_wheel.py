"""Compares the compiled descriptors with those of the published Python client, field by field.

Usage: compare_with_wheel.py DESCRIPTOR_SET, in an environment with clarifai-grpc==12.6.0. The set is what
`cargo run -p ocellus-clarifai-proto --example dump_descriptor FILE` writes. Differences that we mean are in
intended_differences.txt; any other one, and any line there that is no difference, makes the exit status 1.
"""

import sys
from pathlib import Path

from clarifai_grpc.grpc.api import service_pb2
from google.protobuf import descriptor_pb2, text_format

INTENDED = Path(__file__).with_name("intended_differences.txt")
F = descriptor_pb2.FieldDescriptorProto
LABELS = {F.LABEL_OPTIONAL: "", F.LABEL_REPEATED: "repeated "}


def published():
    """The client's files, in dependency order."""
    found = {}

    def add(file):
        if file.name not in found:
            for d in file.dependencies:
                add(d)
            proto = descriptor_pb2.FileDescriptorProto()
            file.CopyToProto(proto)
            found[file.name] = proto

    add(service_pb2.DESCRIPTOR)
    return [f for f in found.values() if f.name.startswith("proto/")]


def ours(path):
    """Our files; parsing with the client's extensions registered makes the options comparable."""
    files = descriptor_pb2.FileDescriptorSet.FromString(Path(path).read_bytes())
    return [f for f in files.file if f.name.startswith("proto/")]


def options_text(options):
    return text_format.MessageToString(options, as_one_line=True, use_short_repeated_primitives=True)


def field_text(f, oneofs):
    kind = f.type_name.lstrip(".") or F.Type.Name(f.type)[5:].lower()
    oneof = f" in {oneofs[f.oneof_index].name}" if f.HasField("oneof_index") else ""
    return f"{LABELS[f.label]}{kind} {f.name} = {f.number} [{options_text(f.options)}]{oneof} json {f.json_name or ''}"


def lower_camel(name):
    head, *rest = name.split("_")
    return head + "".join(p[:1].upper() + p[1:] for p in rest)


def walk_message(out, prefix, m, file):
    name = f"{prefix}.{m.name}" if prefix else m.name
    if m.options.map_entry:
        name += " (of a map)"
    out["message", name, ""] = f"in {file} [{options_text(m.options)}]"
    for f in m.field:
        # A descriptor made from Python source has no JSON names, which then are the default ones.
        f.json_name = f.json_name or lower_camel(f.name)
        out["field", name, f.name] = field_text(f, m.oneof_decl)
    for n in m.nested_type:
        walk_message(out, name, n, file)
    for e in m.enum_type:
        walk_enum(out, name, e)


def walk_enum(out, prefix, e):
    name = f"{prefix}.{e.name}" if prefix else e.name
    out["enum", name, ""] = f"[{options_text(e.options)}]"
    for v in e.value:
        out["value", name, v.name] = f"{v.number} [{options_text(v.options)}]"


def http_rules(options):
    for extension, value in options.ListFields():
        if extension.full_name == "google.api.http":
            yield value
            yield from value.additional_bindings


def walk_method(out, service, m):
    name = f"{service}.{m.name}"
    streams = f"{m.client_streaming} {m.server_streaming}"
    out["rpc", name, ""] = f"{m.input_type} -> {m.output_type} streams {streams}"
    for rule in http_rules(m.options):
        verb = rule.WhichOneof("pattern")
        path = getattr(rule, verb)
        out["binding", name, f"{verb.upper()} {path}"] = f"body {rule.body!r} response {rule.response_body!r}"
    for extension, value in m.options.ListFields():
        if extension.full_name != "google.api.http":
            out["option", name, extension.full_name] = str(list(value) if extension.is_repeated else value)


def symbols(files):
    out = {}
    for f in files:
        out["file", f.name, ""] = f"{f.package} {f.syntax}"
        for m in f.message_type:
            walk_message(out, f.package, m, f.name)
        for e in f.enum_type:
            walk_enum(out, f.package, e)
        for x in f.extension:
            out["extension", f"{f.package}.{x.name}", ""] = f"{x.extendee} {field_text(x, [])}".split(" json ")[0]
        for s in f.service:
            for m in s.method:
                walk_method(out, f"{f.package}.{s.name}", m)
    return out


# Not part of what clients have.
OURS_ONLY_FILES = {"proto/clarifai/api/legacy.proto"}


def symbol_line(key, text):
    """The symbol in the notation of intended_differences.txt."""
    kind, name, member = key
    if kind == "field":
        return f"field {name} {text.split(' [')[0]}"
    if kind == "value":
        number = "" if name.endswith(".StatusCode") else f" = {text.split(' ')[0]}"
        return f"value {name} {member}{number}"
    if kind in ("rpc", "binding"):
        return f"{kind} {name.rsplit('.', 1)[-1]} {member}".strip()
    return f"{kind} {name} {member}".strip()


def main(path):
    theirs, mine = symbols(published()), symbols(ours(path))
    intended = {line for line in INTENDED.read_text().splitlines() if line and not line.startswith("#")}
    added, problems = set(), []
    new_owners = {k[1] for k in mine if k[0] in ("message", "enum") and k not in theirs}
    new_rpcs = {k[1] for k in mine if k[0] == "rpc" and k not in theirs}
    for key, text in sorted(mine.items()):
        if key not in theirs:
            if key[0] == "file" and key[1] in OURS_ONLY_FILES:
                continue
            # What is inside a new message, enum or method is new with it.
            if key[1] in new_owners and (key[0] in ("field", "value") or key[1].endswith(" (of a map)")):
                continue
            if key[1] in new_rpcs and key[0] == "option":
                continue
            added.add(symbol_line(key, text))
        elif theirs[key] != text:
            problems.append(f"changed {' '.join(key).strip()}: theirs {theirs[key]} | ours {text}")
    problems += [f"missing {' '.join(k).strip()}: {v}" for k, v in sorted(theirs.items()) if k not in mine]
    problems += [f"not intended: {line}" for line in sorted(added - intended)]
    problems += [f"listed, but no difference: {line}" for line in sorted(intended - added)]
    for line in problems:
        print(line)
    print(f"{len(theirs)} published symbols, {len(mine)} ours, {len(added)} intended additions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    raise SystemExit(main(sys.argv[1]))
