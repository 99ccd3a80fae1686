"""The test photographs and what is on them, from fixtures/photos.tsv."""
import collections
import functools
import json

import harness

N_RECOGNISABLE = 12


@functools.cache
def rows():
    """One dict a photograph, keyed by the columns of the file."""
    lines = (harness.ROOT / "fixtures" / "photos.tsv").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"))) for line in lines[1:]]


def path(name):
    return harness.photos_dir() / name


@functools.cache
def recognisable():
    """(file, names of which one must be among the first five): a dozen photographs of different things."""
    named = [(row["file"], row["concepts"].split("|")) for row in rows() if row["concepts"] and not row["group"]]
    assert len(named) >= 8, "too few recognisable photographs in fixtures/photos.tsv"
    return named[:: max(1, len(named) // N_RECOGNISABLE)][:N_RECOGNISABLE]


@functools.cache
def near_pairs():
    """(file, its nearest neighbour): the groups of exactly two pictures of the same thing."""
    groups = collections.defaultdict(list)
    for row in rows():
        if row["group"]:
            groups[row["group"]].append(row["file"])
    pairs = [tuple(files) for files in groups.values() if len(files) == 2]
    assert pairs, "no pair of pictures of the same thing in fixtures/photos.tsv"
    return pairs


def geotagged():
    """(file, longitude, latitude) of the photographs whose EXIF holds a place."""
    found = [(r["file"], float(r["longitude"]), float(r["latitude"])) for r in rows() if r["latitude"]]
    assert found, "no photograph with a place in fixtures/photos.tsv"
    return found


@functools.cache
def collection():
    """What the storing tests add: everything named above, each once, in a stable order."""
    names = [name for name, _ in recognisable()] + [name for pair in near_pairs() for name in pair]
    names += [name for name, _, _ in geotagged()]
    return list(dict.fromkeys(names))


def as_json():
    """The expectations for the suites that are not Python."""
    return json.dumps({"recognisable": recognisable(), "near_pairs": near_pairs()})
