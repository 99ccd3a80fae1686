"""Writes what the tests compare the compiled service with, straight from the tables (not through make_proto.py).

Usage: make_fixtures.py TABLES DOCUMENT_2018, the latter being the OpenAPI file of 2018. Needs PyYAML.
"""

import csv
import re
import sys
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
# Long prefixes of nearly every path, shortened to keep the file small.
SHORT = [("/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}", "<app>"), ("/v2/users/{user_app_id.user_id}", "<user>")]
# Nested messages that have stood at the top since.
MOVED = {"GetModelVersionMetricsRequestFieldsValue": "FieldsValue"}


def shorten(path):
    for long, short in SHORT:
        path = path.replace(long, short)
    return path


def methods(folder):
    lines, seen = ["era\trpc\trequest\tresponse\tstreams\tauth\tscopes\tbindings"], {}
    for era, name in (("current", "rpcs.tsv"), ("2023", "rpcs-2023.tsv"), ("2018", "rpcs-2019.tsv")):
        found = {}
        with open(Path(folder) / name, newline="") as f:
            for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
                notes = r.get("scopes") or ""
                auth = re.search(r"cl_auth_type=(\d+)", notes)
                scopes = re.search(r"cl_depending_scopes=\[([\d, ]*)\]", notes)
                streams = ("c" if r.get("client_streaming") == "True" else "") + (
                    "s" if r.get("server_streaming") == "True" else ""
                )
                key = (r["rpc"], r["request"], r["response"], streams, auth[1] if auth else "",
                       scopes[1].replace(" ", "") if scopes else "")
                body = " *" if r["body"] else ""
                found.setdefault(key, []).append(f"{r['method']} {shorten(r['path'])}{body}")
        for key, bindings in found.items():
            row = list(key) + [", ".join(bindings)]
            wire = (row[1], row[2], row[6])
            if seen.setdefault(row[0], wire) != wire or era == "current" or wire is seen[row[0]]:
                lines.append("\t".join([era] + row))
    (FIXTURES / "methods.tsv").write_text("\n".join(lines) + "\n")


def properties(document):
    import yaml

    with open(document) as f:
        schemas = yaml.safe_load(f)["components"]["schemas"]
    lines = ["schema\tproperties"]
    for name in sorted(schemas):
        if name.startswith("protobuf") or not schemas[name].get("properties"):
            continue
        package = "clarifai.api.status" if name.startswith("status") else "clarifai.api"
        message = re.sub("^(api|status)", "", name)
        message = MOVED.get(message, message)
        lines.append(f"{package}.{message}\t{' '.join(schemas[name]['properties'])}")
    (FIXTURES / "documented_2018.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    FIXTURES.mkdir(exist_ok=True)
    methods(sys.argv[1])
    properties(sys.argv[2])
