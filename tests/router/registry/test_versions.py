"""Versions: every layer's letters, named by what they decide, read from themselves alone."""

import pytest

from policies.load import load_policy
from policies.mistakes import Mistakes
from router.registry import versions
from router.registry.versions import VersionError

FLOOR = "# the floor\nstillhouse: 1\nname: floor\nquality: {keep: 0.9}\n"
OURS = "# ours, with a comment\nstillhouse: 1\nname: ours\nextends: ./floor.yaml\nquality: {keep: 0.95}\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "floor.yaml").write_text(FLOOR)
    (tmp_path / "ours.yaml").write_text(OURS)
    return tmp_path


def test_a_version_is_named_by_the_policys_hash_and_holds_every_layer(home, files):
    kept = versions.keep(home, files / "ours.yaml")
    assert kept.hash == load_policy(files / "ours.yaml").hash
    folder = versions.folder(home) / kept.hash
    assert {path.name: path.read_text() for path in folder.glob("*.yaml")} == {
        "0-floor.yaml": FLOOR, "1-ours.yaml": OURS,
    }  # fmt: skip
    assert [path.name for path in versions.folder(home).iterdir()] == [kept.hash]


def test_it_is_read_though_every_file_it_came_from_is_gone(home, files):
    kept = versions.keep(home, files / "ours.yaml")
    for path in files.glob("*.yaml"):
        path.unlink()
    assert versions.read(home, kept.hash).body.quality.keep == 0.95
    assert versions.read(home, kept.hash).hash == kept.hash


def test_a_preset_under_a_file_is_kept_too(home, files):
    (files / "own.yaml").write_text("stillhouse: 1\nname: own\nextends: balanced\ncost_quality: 0.7\n")
    kept = versions.keep(home, files / "own.yaml")
    assert [layer.file for layer in versions.manifest(home, kept.hash).layers] == ["0-policy.yaml", "1-own.yaml"]


def test_files_that_decide_alike_are_one_version_and_the_first_letters_stay(home, files):
    first = versions.keep(home, files / "ours.yaml")
    (files / "ours.yaml").write_text(OURS.replace("a comment", "another comment"))
    assert versions.keep(home, files / "ours.yaml").hash == first.hash
    assert "with a comment" in (versions.folder(home) / first.hash / "1-ours.yaml").read_text()


def test_a_restored_version_is_the_same_policy(home, files, tmp_path):
    kept = versions.keep(home, files / "ours.yaml")
    paths = versions.restore(home, kept.hash, tmp_path / "out")
    assert [path.name for path in paths] == ["floor.yaml", "ours.yaml"]
    assert load_policy(paths[-1]).hash == kept.hash
    with pytest.raises(VersionError, match="is there already"):
        versions.restore(home, kept.hash, tmp_path / "out")


@pytest.mark.parametrize("harm", ["edited", "gone", "manifest", "all"])
def test_a_version_that_is_not_as_it_was_kept_is_refused(home, files, harm):
    kept = versions.keep(home, files / "ours.yaml")
    folder = versions.folder(home) / kept.hash
    match harm:
        case "edited":
            (folder / "0-floor.yaml").write_text(FLOOR.replace("0.9", "0.5"))
        case "gone":
            (folder / "1-ours.yaml").unlink()
        case "manifest":
            (folder / "manifest.json").write_text("{")
        case _:
            folder.rename(home / "elsewhere")
    with pytest.raises(VersionError):
        versions.read(home, kept.hash)


def test_a_policy_with_mistakes_is_not_kept(home, tmp_path):
    (tmp_path / "bad.yaml").write_text("stillhouse: 1\nname: bad\nspeed: 3\n")
    with pytest.raises(Mistakes, match="speed"):
        versions.keep(home, tmp_path / "bad.yaml")
    assert not versions.folder(home).exists()


def test_a_version_is_found_by_how_it_begins(home, files):
    kept = versions.keep(home, files / "ours.yaml")
    assert versions.find(home, kept.hash[:8]) == kept.hash
    for wrong in ("", "0000000", "../x"):
        with pytest.raises(VersionError):
            versions.find(home, wrong)
    with pytest.raises(VersionError, match="no version's name"):
        versions.read(home, "../../etc")
