"""Writes the superset as .proto files."""

import tables as t

HEAD = "// Written by tools/make_proto.py from the wire tables of three client generations; edit those, not this.\n"
AUTH_TYPES = {"0": "undef", "1": "NoAuth", "2": "KeyAuth", "3": "SessionTokenAuth", "4": "AdminAuth", "5": "PATAuth"}
OPTION_NAMES = {
    "cl_show_if_empty": "(clarifai.api.utils.cl_show_if_empty)",
    "cl_moretags": "(clarifai.api.utils.cl_moretags)",
    "cl_default_float": "(clarifai.api.utils.cl_default_float)",
    "cl_private_field": "(clarifai.auth.util.cl_private_field)",
    "description": "(clarifai.api.utils.description)",
}
RESOURCE_IMPORTS = [
    "proto/clarifai/api/status/status.proto",
    "proto/clarifai/api/status/status_code.proto",
    "proto/clarifai/api/utils/extensions.proto",
    "proto/clarifai/api/utils/matrix.proto",
    "proto/clarifai/api/utils/time.proto",
    "proto/clarifai/auth/util/extension.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/wrappers.proto",
]
# The package and the imports of each file; the content comes from the tables.
FILES = {
    "proto/clarifai/api/resources.proto": ("clarifai.api", "What the API keeps and returns.", RESOURCE_IMPORTS),
    "proto/clarifai/api/legacy.proto": (
        "clarifai.api",
        "Messages that only the first generation of the API had.",
        ["proto/clarifai/api/resources.proto", "proto/clarifai/api/status/status.proto",
         "proto/clarifai/api/utils/extensions.proto", "google/protobuf/duration.proto",
         "google/protobuf/struct.proto", "google/protobuf/timestamp.proto"],
    ),
    "proto/clarifai/api/service.proto": (
        "clarifai.api",
        "Requests, answers and the service itself.",
        ["proto/clarifai/api/resources.proto", "proto/clarifai/api/status/status.proto",
         "proto/clarifai/api/utils/extensions.proto", "proto/clarifai/auth/scope/scope.proto",
         "proto/clarifai/auth/util/extension.proto", "proto/clarifai/api/status/status_code.proto",
         "google/api/annotations.proto", "google/protobuf/duration.proto", "google/protobuf/struct.proto",
         "google/protobuf/timestamp.proto", "proto/clarifai/api/legacy.proto"],
    ),
    "proto/clarifai/api/status/status.proto": (
        "clarifai.api.status", "The status that every answer carries.",
        ["proto/clarifai/auth/util/extension.proto", "proto/clarifai/api/status/status_code.proto"],
    ),
    "proto/clarifai/api/utils/matrix.proto": ("", "A dense matrix; it has no package, as on the wire.", []),
    "proto/clarifai/api/utils/time.proto": ("clarifai.api.utils", "Times of day.", []),
    "proto/clarifai/auth/types/types.proto": ("clarifai.auth.types", "The kinds of credentials.", []),
}

EXTENSIONS = {
    "proto/clarifai/api/utils/extensions.proto": """{head}// How fields look in JSON.
syntax = "proto3";

package clarifai.api.utils;

import "google/protobuf/descriptor.proto";

extend google.protobuf.FieldOptions {{
  bool cl_show_if_empty = 50000;
  string cl_moretags = 50001;
  float cl_default_float = 50010;
}}

extend google.protobuf.EnumValueOptions {{
  string description = 1000;
}}
""",
    "proto/clarifai/auth/util/extension.proto": """{head}// What a method asks of the caller's credentials.
syntax = "proto3";

package clarifai.auth.util;

import "proto/clarifai/auth/scope/scope.proto";
import "proto/clarifai/auth/types/types.proto";
import "google/protobuf/descriptor.proto";

extend google.protobuf.FieldOptions {{
  bool cl_private_field = 80320;
}}

extend google.protobuf.MethodOptions {{
  bool cl_private_rpc = 80321;
  repeated clarifai.auth.scope.S cl_depending_scopes = 80322;
  clarifai.auth.types.AuthType cl_auth_type = 80323;
}}

extend google.protobuf.MessageOptions {{
  bool cl_private_message = 80324;
}}
""",
}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def option_list(opts):
    parts = []
    for key, value in opts.items():
        literal = {"True": "true", "False": "false"}.get(value, value)
        if key in ("description", "cl_moretags"):
            literal = quoted(value)
        parts.append(f"{OPTION_NAMES.get(key, key)} = {literal}")
    return f" [{', '.join(parts)}]" if parts else ""


def short_type(name, package, inside):
    """The name as it is written inside `package`; a nested type of the same first name forces the full one."""
    if name.startswith("map<"):
        key, value = name[4:-1].split(", ")
        return f"map<{key}, {short_type(value, package, inside)}>"
    prefix = package + "."
    if package and name.startswith(prefix):
        rest = name[len(prefix):]
        if rest.split(".")[0] not in inside and not rest[0].islower():
            return rest
        return "." + name
    return name


def field_line(f, package, inside):
    label = f"{f.label} " if f.label and not f.type.startswith("map<") else ""
    return f"{label}{short_type(f.type, package, inside)} {f.name} = {f.number}{option_list(f.options)};"


def block_lines(block, package, inside=frozenset()):
    kind = "enum" if isinstance(block, t.Enum) else "message"
    out = [f"{kind} {block.name.rsplit('.', 1)[-1]} {{"]
    if kind == "enum":
        seen = set()
        if any(v.number in seen or seen.add(v.number) for v in block.values):
            out.append("  option allow_alias = true;")
        out += [f"  {v.name} = {v.number}{option_list(v.options)};" for v in block.values]
        return out + ["}"]
    out += [f"  option {key} = true;" for key in block.options]
    inside = inside | {n.name.rsplit(".", 1)[-1] for n in block.nested}
    for n in block.nested:
        out += ["  " + line for line in block_lines(n, package, inside)]
    done = set()
    for f in block.fields:
        if not f.oneof:
            out.append("  " + field_line(f, package, inside))
        elif f.oneof not in done:
            done.add(f.oneof)
            out.append(f"  oneof {f.oneof} {{")
            out += ["    " + field_line(g, package, inside) for g in block.fields if g.oneof == f.oneof]
            out.append("  }")
    return out + ["}"]


def file_text(path, blocks):
    package, about, imports = FILES[path]
    out = [HEAD.rstrip(), f"// {about}", 'syntax = "proto3";', ""]
    if package:
        out += [f"package {package};", ""]
    out += [f'import "{i}";' for i in imports] + ([""] if imports else [])
    for block in blocks:
        out += block_lines(block, package) + [""]
    return "\n".join(out).rstrip() + "\n"


def http_rule(bindings):
    def pattern(b):
        body = f' body: "{b.body}"' if b.body else ""
        return f'{b.method.lower()}: "{b.path}"{body}'

    lines = ["    option (google.api.http) = {", f"      {pattern(bindings[0])}"]
    lines += [f"      additional_bindings {{ {pattern(b)} }}" for b in bindings[1:]]
    return lines + ["    };"]


def rpc_lines(rpc, messages, scope_names):
    def qualified(name):
        if f"clarifai.api.{name}" in messages:
            return name
        if f"clarifai.api.status.{name}" in messages:
            return f"clarifai.api.status.{name}"
        raise SystemExit(f"{rpc.name}: no message {name}")

    ins = ("stream " if rpc.client_streaming else "") + qualified(rpc.request)
    outs = ("stream " if rpc.server_streaming else "") + qualified(rpc.response)
    out = [f"  rpc {rpc.name}({ins}) returns ({outs}) {{"]
    if rpc.deprecated:
        out.append("    option deprecated = true;")
    out += http_rule(rpc.bindings)
    out += [f"    option (clarifai.auth.util.cl_depending_scopes) = {scope_names[s]};" for s in rpc.scopes]
    if rpc.auth:
        out.append(f"    option (clarifai.auth.util.cl_auth_type) = {AUTH_TYPES.get(rpc.auth, rpc.auth)};")
    return out + ["  }"]


ERA_HEADS = {
    t.Y2023: "Methods of the 2023 client that later clients lack.",
    t.Y2018: "Methods of the 2018 client that later clients lack.",
    t.OWN: "Operations that the 2018 document describes and no published client carries; the method names are ours.",
}


def service_text(rpcs, messages, scope_names):
    out, era = ["service V2 {"], t.CURRENT
    for rpc in rpcs:
        if rpc.era != era:
            era = rpc.era
            out += ["", f"  // {ERA_HEADS[era]}"]
        out += rpc_lines(rpc, messages, scope_names)
    return "\n".join(out + ["}"]) + "\n"


def scope_text(scopes, opts):
    out = [HEAD.rstrip(), "// What a key may be allowed to do.", 'syntax = "proto3";', "",
           "package clarifai.auth.scope;", "", 'import "google/protobuf/descriptor.proto";', "",
           "extend google.protobuf.EnumValueOptions {", "  bool clarfai_exposed = 80318;",
           "  repeated S clarifai_depending_scopes = 80319;", "}", "", "message ScopeList {",
           "  repeated S scopes = 1;", "  repeated string endpoints = 2;", "}", "", "enum S {"]
    for row in scopes:
        o, parts = opts[row["scope"]], []
        if o["deprecated"]:
            parts.append("deprecated = true")
        if o["exposed"]:
            parts.append("(clarfai_exposed) = true")
        parts += [f"(clarifai_depending_scopes) = {d}" for d in (o["depends_on"] or "").split(",") if d]
        out.append(f"  {row['scope']} = {row['number']}" + (f" [{', '.join(parts)}]" if parts else "") + ";")
    return "\n".join(out + ["}"]) + "\n"


def status_values(codes):
    """Names of one number, newest first: (name, deprecated, era)."""
    for row in codes:
        current = [n for n in row["name_current(12.6.0)"].split(" | ") if n]
        for i, name in enumerate(current):
            last = i == len(current) - 1
            yield row, name, bool(row["deprecated"]) and last, t.CURRENT
        old = row["name_in_2.6.2(2019)"]
        if old and old not in current:
            yield row, old, False, t.Y2018


def status_code_text(codes):
    out = [HEAD.rstrip(), "// The numbers of every outcome, with the names of all generations.", 'syntax = "proto3";', "",
           "package clarifai.api.status;", "", "enum StatusCode {", "  option allow_alias = true;"]
    for row, name, deprecated, _ in status_values(codes):
        out.append(f"  {name} = {row['number']}" + (" [deprecated = true]" if deprecated else "") + ";")
    return "\n".join(out + ["}"]) + "\n"
