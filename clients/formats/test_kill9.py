"""`kill -9` while archives are made: they go on after the last finished chunk, and are those of an export that was left alone."""
import os

import harness
import photographs
from conftest import FORMATS, Client, photo

# One full chunk of 128 inputs and a part of another.
N_PHOTOS = 160


def test_killed_exports_go_on_and_their_archives_are_the_same():
    with harness.Server(os.environ["OCELLUS_BINARY"]) as server:
        client = Client(server.url, server.keys()["api_key"])
        client.call("POST", "/v2/datasets", {"datasets": [{"id": "d"}]})
        files = photographs.collection()
        client.add([photo(f"p-{n}", files[n % len(files)], "d", concepts=[{"id": f"c-{n % 5}"}]) for n in range(N_PHOTOS)])
        client.wait_until_processed()
        for version in ("whole", "cut"):
            client.freeze("d", version)
        whole = client.export("d", "whole")

        def begun():
            exports = client.ask("d", "cut").values()
            return any(export["status"].get("percent_completed", 0) > 0 for export in exports)
        harness.wait_until(begun, "an export has begun", every_s=0)
        server.kill()
        server.start()
        cut = client.export("d", "cut")
        assert [name for name in FORMATS if cut[name] != whole[name]] == []
