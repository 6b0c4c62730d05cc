import json
import shutil

import numpy as np
import pytest

from router.score import ArtefactError, load
from router.score import artefact as art


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(art.SHIPPED, tmp_path / "artefact")


def edit(folder, **changes):
    path = folder / art.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def resign(folder, **changes):
    """Save the folder again under changed words or arrays, with a digest that matches."""
    manifest = {k: v for k, v in json.loads((folder / art.MANIFEST).read_text()).items() if k != "digest"}
    arrays = dict(art.load(folder).arrays) | changes.pop("arrays", {})
    art.save(folder, {**manifest, **changes}, arrays, "card {digest}")


def test_the_shipped_artefact_verifies_and_is_small():
    shipped = art.load(art.SHIPPED)
    assert len(shipped.digest) == 64
    assert shipped.digest == load().digest
    assert sum(path.stat().st_size for path in art.SHIPPED.iterdir()) < 10_000_000
    assert shipped.digest in (art.SHIPPED / art.CARD).read_text()


def test_the_shipped_artefact_knows_nothing_of_the_reference_benchmark():
    assert not [name for name in art.load(art.SHIPPED).manifest["sources"] if "routellm" in name]


def test_saving_what_was_loaded_changes_nothing(folder):
    before = art.load(folder)
    resign(folder)
    assert art.load(folder).digest == before.digest


def test_a_changed_word_or_byte_is_refused(folder):
    edit(folder, rows=1)
    with pytest.raises(ArtefactError, match=r"digest in manifest\.json does not match"):
        load(folder)


def test_changed_weights_are_refused(folder):
    path = folder / art.WEIGHTS
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ArtefactError, match="digest"):
        load(folder)


def test_another_format_is_refused(folder):
    edit(folder, format=99)
    with pytest.raises(ArtefactError, match="format 99, this version reads format 2"):
        load(folder)


def test_other_features_are_refused(folder):
    resign(folder, features={**art.feature_spec(), "version": 0})
    with pytest.raises(ArtefactError, match="other features"):
        load(folder)


def test_a_missing_or_broken_file_is_refused(folder):
    with pytest.raises(ArtefactError, match="not a scorer artefact"):
        load(folder / "nowhere")
    (folder / art.MANIFEST).write_text("{")
    with pytest.raises(ArtefactError, match="not a scorer artefact"):
        load(folder)


def test_a_manifest_that_is_no_object_is_refused(folder):
    (folder / art.MANIFEST).write_text("[]")
    with pytest.raises(ArtefactError, match="format None"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("novelty_weights", np.array([np.nan, 1.0], dtype=np.float32), "'novelty_weights' holds NaN"),
        ("ability", np.zeros((2, 2), dtype=np.float32), "'ability' is missing or not 1-dimensional"),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(folder, name, value, words):
    resign(folder, arrays={name: value})
    with pytest.raises(ArtefactError, match=words):
        load(folder)
