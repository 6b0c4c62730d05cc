"""What names a target for the cache: whatever decides its answers."""

import pytest

from evals.runs.places import Places, files_digest
from evals.runs.targets import deciding, inside
from evals.runs.targets.deciding import Deciding, Guarding
from evals.runs.targets.inside import Inside
from evals.suites.rows import Row
from evals.suites.target_kinds import Gateway
from tests.evals.runs.conftest import SETTINGS


def test_a_folder_is_named_by_its_files(tmp_path):
    (tmp_path / "a.py").write_text("one")
    before = files_digest([str(tmp_path)])
    (tmp_path / "a.pyc").write_text("made of it")
    assert files_digest([str(tmp_path)]) == before
    (tmp_path / "a.py").write_text("three")
    assert files_digest([str(tmp_path)]) != before


@pytest.mark.parametrize(
    "made",
    [
        lambda places: Deciding("t", places, "balanced", None, real=False),
        lambda places: Guarding("t", places, "guarded", None),
        lambda places: Inside("t", places, None, Gateway(policy="balanced"), {}, None),
    ],
    ids=["policy", "guards", "gateway"],
)
async def test_another_program_may_decide_otherwise_so_nothing_is_kept_for_it(tmp_path, monkeypatch, made):
    (tmp_path / "stillhouse.yaml").write_text(SETTINGS.format(url="http://127.0.0.1:9/v1"))
    keys = []
    for name in ("this", "this", "another"):
        monkeypatch.setattr(deciding, "program", lambda name=name: name)
        monkeypatch.setattr(inside, "program", lambda name=name: name)
        asker = made(Places(tmp_path, "stillhouse.yaml"))
        await asker.open()
        keys.append(asker.key(Row(id="a", text="2 + 2?"), 0))
    assert keys[0] == keys[1] != keys[2]
