import json

import pytest

from router.registry import scorers
from router.registry.scorers import ScorersError

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "artefact"
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    (folder / "weights.npz").write_bytes(b"numbers")
    return folder


@pytest.fixture
def two(home, source):
    scorers.keep(home, source, ONE)
    scorers.keep(home, source, TWO)
    return home


def test_without_a_choice_the_shipped_scorer_is_in_use(home):
    assert scorers.active(home).active == "shipped"
    assert scorers.kept(home) == ()
    assert scorers.place(home, "shipped") is None


def test_a_kept_artefact_is_a_copy_under_its_digest(home, source):
    there = scorers.keep(home, source, ONE)
    assert (there / "weights.npz").read_bytes() == b"numbers"
    assert scorers.keep(home, source, ONE) == there
    assert scorers.kept(home) == (ONE,)
    assert sorted(p.name for p in scorers.folder(home).iterdir()) == [".lock", ONE]


def test_using_and_rolling_back_walk_the_same_way(two):
    scorers.use(two, "11")
    scorers.use(two, TWO)
    assert scorers.active(two).active == TWO
    assert scorers.roll_back(two).active == ONE
    assert scorers.roll_back(two).active == "shipped"
    with pytest.raises(ScorersError, match="nothing to return to"):
        scorers.roll_back(two)


def test_choosing_what_is_in_use_changes_nothing(two):
    first = scorers.use(two, ONE)
    assert scorers.use(two, ONE) == first


def test_the_history_is_bounded(two):
    for _ in range(30):
        scorers.use(two, ONE)
        scorers.use(two, TWO)
    assert len(scorers.active(two).before) == scorers.HISTORY


@pytest.mark.parametrize(("name", "words"), [("3", "no kept scorer begins"), ("", "no kept scorer begins")])
def test_an_unknown_scorer_is_refused_and_the_choice_stays(two, name, words):
    scorers.use(two, ONE)
    with pytest.raises(ScorersError, match=words):
        scorers.use(two, name)
    assert scorers.active(two).active == ONE


def test_an_unclear_digest_is_refused(home, source):
    scorers.keep(home, source, "1" * 63 + "0")
    scorers.keep(home, source, ONE)
    with pytest.raises(ScorersError, match="several scorers begin"):
        scorers.find(home, "111")


@pytest.mark.parametrize("text", ["{", '{"active": "../../etc"}', '{"active": 3}', ""])
def test_a_damaged_pointer_is_named_and_choosing_again_mends_it(two, text):
    scorers.pointer(two).write_text(text)
    with pytest.raises(ScorersError, match=r"active\.json.*stillhouse scorer use shipped"):
        scorers.active(two)
    scorers.use(two, ONE)
    assert json.loads(scorers.pointer(two).read_text())["active"] == ONE


def test_a_home_that_is_a_file_is_named(tmp_path, source):
    (tmp_path / "file").write_text("")
    with pytest.raises(ScorersError, match="STILLHOUSE_HOME"):
        scorers.keep(tmp_path / "file", source, ONE)
    with pytest.raises(ScorersError):
        scorers.use(tmp_path / "file", "shipped")


def test_a_cell_may_use_another_scorer_until_all_take_it(two):
    scorers.use(two, ONE)
    scorers.use(two, TWO, ["c0"])
    assert [scorers.active(two).of(cell) for cell in ("c0", "c1")] == [TWO, ONE]
    scorers.use(two, TWO)
    assert [scorers.active(two).of(cell) for cell in ("c0", "c1")] == [TWO, TWO]
    assert scorers.roll_back(two).of("c0") == ONE


def test_rolling_back_takes_a_cells_own_scorer_away_first(two):
    scorers.use(two, ONE)
    scorers.use(two, TWO, ["c0", "c1"])
    assert scorers.roll_back(two).of("c0") == ONE
    assert scorers.active(two).before == ("shipped",)
