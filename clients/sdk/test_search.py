"""Searches through PyPI `clarifai` 12.x: ranks by image, words and concepts, every filter, both ways of paging."""
import os

import pytest
from clarifai.client.search import Search
from google.protobuf.struct_pb2 import Struct

import harness
import photographs

PHOTOS_URL = os.environ["OCELLUS_TEST_PHOTOS_URL"]


@pytest.fixture(scope="module")
def filled(user):
    """An app with every photograph of the collection, each with a number, a label and a place, and one text."""
    app = user.create_app("sdk-search")
    app.create_dataset("half")
    inputs = app.inputs()
    batch = []
    for number, name in enumerate(photographs.collection()):
        metadata = Struct()
        metadata.update({"number": number, "nested": {"parity": "odd" if number % 2 else "even"}})
        batch.append(inputs.get_input_from_file(
            name, image_file=str(photographs.path(name)), labels=["odd" if number % 2 else "even"], metadata=metadata,
            geo_info=[float(number), 10.0], dataset_id="half" if number % 2 else None))
    batch.append(inputs.get_text_input("a-text", raw_text="nothing but words", labels=["written"]))
    inputs.upload_inputs(batch)
    harness.wait_until(lambda: app.get_input_count() == len(batch), "every input processed")
    yield app
    user.delete_app("sdk-search")


@pytest.fixture
def search(filled, user):
    def made(**options):
        return Search(user_id=user.id, app_id="sdk-search", pat=user.pat, base_url=os.environ["OCELLUS_TEST_URL"], **options)
    return made


def hits(pages):
    return [hit for page in pages for hit in page.hits]


def ids(pages):
    return [hit.input.id for hit in hits(pages)]


def odd():
    return [name for number, name in enumerate(photographs.collection()) if number % 2]


@pytest.mark.parametrize("by", ["image_bytes", "image_url"])
@pytest.mark.parametrize("metric,algorithm", [("cosine", "brute_force"), ("euclidean", "nearest_neighbor")])
def test_a_photograph_finds_itself_then_its_neighbour(search, by, metric, algorithm):
    for first, second in photographs.near_pairs()[:3]:
        image = photographs.path(first).read_bytes() if by == "image_bytes" else f"{PHOTOS_URL}/{first}"
        found = ids(search(top_k=5, metric=metric, algorithm=algorithm).query(ranks=[{by: image}]))
        assert found[:2] == [first, second]
        assert len(found) == 5


def test_words_rank_by_what_is_seen(search):
    name, names = photographs.recognisable()[0]
    assert any(name in ids(search(top_k=5).query(ranks=[{"text_raw": word}])) for word in names)


def test_labels_filter_and_negatives_too(search):
    found = ids(search(top_k=1000).query(filters=[{"concepts": [{"name": "odd", "value": 1}]}]))
    assert sorted(found) == sorted(odd())
    both = ids(search(top_k=1000).query(filters=[{"concepts": [{"name": "odd", "value": 1}, {"name": "written", "value": 1}]}]))
    assert sorted(both) == sorted(odd() + ["a-text"]), "concepts of one filter are alternatives"
    none = ids(search(top_k=1000).query(filters=[{"concepts": [{"name": "odd", "value": 1}]}, {"concepts": [{"name": "even", "value": 1}]}]))
    assert none == [], "filters must all hold"


def test_metadata_places_kinds_states_and_datasets_filter(search):
    names = photographs.collection()
    everywhere = search(top_k=1000)
    assert ids(everywhere.query(filters=[{"metadata": {"number": 3}}])) == [names[3]]
    assert sorted(ids(everywhere.query(filters=[{"metadata": {"nested": {"parity": "odd"}}}]))) == sorted(odd())
    near = ids(everywhere.query(filters=[{"geo_point": {"longitude": 5.0, "latitude": 10.0, "geo_limit": 60}}]))
    assert near == [names[5]]
    assert ids(everywhere.query(filters=[{"input_types": ["text"]}])) == ["a-text"]
    assert sorted(ids(everywhere.query(filters=[{"input_types": ["image", "text"]}]))) == sorted(names + ["a-text"])
    assert sorted(ids(everywhere.query(filters=[{"input_dataset_ids": ["half"]}]))) == sorted(odd())
    assert len(ids(everywhere.query(filters=[{"input_status_code": 30000}]))) == len(names) + 1
    assert ids(everywhere.query(filters=[{"input_status_code": 30002}])) == []


def test_a_rank_and_a_filter_together(search):
    first = odd()[0]
    found = hits(search(top_k=1000).query(
        ranks=[{"image_bytes": photographs.path(first).read_bytes()}], filters=[{"input_dataset_ids": ["half"]}]))
    assert found[0].input.id == first and found[0].score == pytest.approx(1.0, abs=1e-3)
    assert sorted(hit.input.id for hit in found) == sorted(odd())
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)


def test_pages_are_the_whole_list_cut(search):
    paged = search(pagination=True)
    ranks = [{"image_bytes": photographs.path(photographs.collection()[0]).read_bytes()}]
    whole = ids(search(top_k=12).query(ranks=ranks))
    cut = [one for page_no in (1, 2, 3) for one in ids(paged.query(ranks=ranks, page_no=page_no, per_page=4))]
    assert cut == whole
    assert len(set(ids(paged.query(ranks=ranks)))) == len(photographs.collection())


def test_a_page_too_far_is_refused_in_the_words_the_sdk_reads(search):
    from clarifai.errors import UserError
    with pytest.raises(UserError, match="exceed the limit"):
        list(search(pagination=True).query(page_no=1000, per_page=1000))
