"""Reads the wire tables: messages (text notation), methods (TSV), scopes, status codes and the documented routes."""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

CURRENT, Y2023, Y2018, OWN = "current", "2023", "2018", "own"

# Types the 2019 client defined elsewhere, by the name they have had since. The wire form is the same.
MOVED_TYPES = {
    "Pagination": "clarifai.api.Pagination",
    "clarifai.api.GetModelVersionMetricsRequest.FieldsValue": "clarifai.api.FieldsValue",
}
# Defined anew in tools/legacy/messages.txt: the name EventType means something else today.
REPLACED_2019 = {"clarifai.api.EventType", "clarifai.api.FeedbackInfo"}

FILE = re.compile(r"^#{8} (\S+\.proto)(?: \(package ([\w.]*)\))?")
BLOCK = re.compile(r"^(\s*)(message|enum) ([\w.]+) \{(?: \[(.*)\])?$")
FIELD = re.compile(r"^(?:oneof\((\w+)\) )?(repeated |optional )?(map<[^>]+>|[\w.]+) (\w+) = (\d+)(?: \[(.*)\])?$")
VALUE = re.compile(r"^(\w+) = (\d+)(?: \[(.*)\])?$")
OPTION = re.compile(r"(\w+)=(.*?)(?=, \w+=|$)")


@dataclass
class Field:
    name: str
    number: int
    type: str
    label: str = ""
    oneof: str = ""
    options: dict = field(default_factory=dict)
    era: str = CURRENT


@dataclass
class Value:
    name: str
    number: int
    options: dict = field(default_factory=dict)
    era: str = CURRENT


@dataclass
class Enum:
    name: str
    file: str
    values: list = field(default_factory=list)
    era: str = CURRENT


@dataclass
class Message:
    name: str
    file: str
    options: dict = field(default_factory=dict)
    fields: list = field(default_factory=list)
    nested: list = field(default_factory=list)
    era: str = CURRENT


@dataclass
class Binding:
    method: str
    path: str
    body: str
    era: str


@dataclass
class Rpc:
    name: str
    request: str
    response: str
    client_streaming: bool = False
    server_streaming: bool = False
    scopes: list = field(default_factory=list)
    auth: str = ""
    deprecated: bool = False
    bindings: list = field(default_factory=list)
    era: str = CURRENT


def options(text):
    return dict(OPTION.findall(text)) if text else {}


def moved(type_name):
    return MOVED_TYPES.get(type_name, type_name)


def read_messages(path, era):
    """All top-level messages and enums of one table, in its order."""
    result, stack, file = [], [], ""
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.strip()
        if (m := FILE.match(raw)) is not None:
            file = m[1]
        elif not line or line.startswith("#") or line.startswith("extend "):
            continue
        elif (m := BLOCK.match(raw)) is not None:
            short = m[3].split(".")[-1] if stack else m[3]
            name = f"{stack[-1].name}.{short}" if stack else m[3]
            block = Enum(name, file, era=era) if m[2] == "enum" else Message(name, file, options(m[4]), era=era)
            stack.append(block)
        elif line == "}":
            block = stack.pop()
            block.name = moved(block.name)
            if block.name == "clarifai.api.FieldsValue" or not stack:
                result.append(block)
            else:
                stack[-1].nested.append(block)
        elif isinstance(stack[-1], Enum) and (m := VALUE.match(line)) is not None:
            stack[-1].values.append(Value(m[1], int(m[2]), options(m[3]), era))
        elif (m := FIELD.match(line)) is not None:
            stack[-1].fields.append(
                Field(m[4], int(m[5]), moved(m[3]), (m[2] or "").strip(), m[1] or "", options(m[6]), era)
            )
        else:
            raise SystemExit(f"{path}:{number}: cannot read {raw!r}")
    return result


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def read_rpcs(path, era):
    """The methods of one generation, in service order."""
    result = {}
    for row in rows(path):
        rpc = result.get(row["rpc"])
        if rpc is None:
            notes = dict(OPTION.findall((row.get("scopes") or "").replace(";", ", ")))
            scopes = [int(n) for n in re.findall(r"\d+", notes.get("cl_depending_scopes", ""))]
            rpc = result[row["rpc"]] = Rpc(
                row["rpc"], row["request"], row["response"],
                row.get("client_streaming") == "True", row.get("server_streaming") == "True",
                scopes, notes.get("cl_auth_type", ""), notes.get("deprecated") == "True", era=era,
            )
        rpc.bindings.append(Binding(row["method"], row["path"], row["body"] or "", era))
    return result


def template(path):
    """A path with its variables made anonymous, so that two templates matching the same paths are equal."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def read_tables(folder):
    folder, own = Path(folder), Path(__file__).parent / "legacy"
    old = [b for b in read_messages(folder / "messages-2019.txt", Y2018) if b.name not in REPLACED_2019]
    return {
        "blocks": [
            read_messages(folder / "messages.txt", CURRENT),
            read_messages(folder / "messages-2023.txt", Y2023),
            old,
            read_messages(own / "messages.txt", OWN),
        ],
        "rpcs": [
            read_rpcs(folder / "rpcs.tsv", CURRENT),
            read_rpcs(folder / "rpcs-2023.tsv", Y2023),
            read_rpcs(folder / "rpcs-2019.tsv", Y2018),
        ],
        "own_rpcs": rows(own / "rpcs.tsv"),
        "scope_options": {r["scope"]: r for r in rows(own / "scope_options.tsv")},
        "scopes": rows(folder / "scopes.tsv"),
        "codes": rows(folder / "status_codes.tsv"),
        "routes": rows(folder / "route_map.tsv"),
    }
