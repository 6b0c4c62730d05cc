import numpy as np
import pytest

from evals import encode


def test_vectors_are_read_by_encoder_and_row(tmp_path):
    np.savez(tmp_path / "use.npz", ids=np.array(["a", "b"]), vectors=np.eye(2, dtype=np.float16))
    found = encode.read(tmp_path)
    assert list(found) == ["use"]
    assert found["use"]["b"].tolist() == [0.0, 1.0]


def test_minilm_asks_for_its_tokenizer(tmp_path):
    with pytest.raises(SystemExit, match="needs --tokenizer"):
        encode.main(["--data", str(tmp_path), "--out", str(tmp_path), "--encoder", "minilm"])
