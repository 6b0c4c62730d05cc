"""A student becomes a candidate: with where it comes from, checked, listed once, and served by nobody."""

import json
import shutil
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from evals.distill.folder import Folder, write_json
from evals.distill.registering import RegisterError, find_student, name_of, register
from policies.load import load_policy
from router.core.models import usable
from router.registry import weights
from router.registry.heads import FILES
from router.serve.settings import load_settings
from router.types import Deployment
from stillhouse.cli.distill import command
from tests.evals.distill import students
from tests.support.gguf import CHAT_HEAD, write_gguf

TODAY = "2026-11-25"
ONE, OTHER = students.digest("one"), students.digest("other")
SIZED = CHAT_HEAD | {"llama.vocab_size": 2}


@pytest.fixture(autouse=True)
def nothing_built_in(monkeypatch):
    monkeypatch.setattr(weights, "_BUILT_IN_PACKAGE", "a-package-that-is-not-installed")


@pytest.fixture
def folder(home):
    return Folder.of(home, "loop")


def registered(folder, home, wanted=None, tier="small", **more):
    return register(folder, home, find_student(folder, wanted), tier, TODAY, **more)


def run(*words):
    return CliRunner().invoke(command, ["register", "loop", *words], catch_exceptions=False)


def test_a_student_is_listed_with_its_whole_lineage_and_a_copy_of_its_own(folder, home):
    student = students.head(folder, ONE, {"is water wet": "yes"})
    made = registered(folder, home)
    (there,) = weights.candidates(home)
    assert there == made.weights
    assert (there.kind, there.tier, there.student, there.candidate) == ("nano", "small", ONE, True)
    lineage = there.lineage
    assert (lineage.teacher, lineage.dataset_hash, lineage.recipe_hash) == ("teacher-1", "d" * 32, "r" * 32)
    assert (lineage.gate, lineage.generation) == ("unknown", 1)
    assert there.name == name_of(student) == f"head-{student.sha256[:12]}"
    shutil.rmtree(folder.root)
    assert weights.state_of(there) == "ready"


def test_no_policy_may_use_a_candidate_until_one_names_it(home):
    there = tuple(
        Deployment(name=name, tier="small", upstream="u", model=name, candidate=name == "student")
        for name in ("today", "student")
    )

    def served(extra):
        (home / "p.yaml").write_text(f"stillhouse: 1\nname: ours\n{extra}")
        return [d.name for d in usable(load_policy(home / "p.yaml").body, there)]

    assert served("") == ["today"]
    assert served("models: {large: [big]}") == ["today"]
    assert served("models: {small: [student]}") == ["student"]
    assert served("models: {small: [today, student]}") == ["today", "student"]
    assert weights.load_weights(home) == ()


def test_the_same_student_is_listed_once_and_the_next_is_a_generation_younger(folder, home):
    students.head(folder, ONE, {"is water wet": "yes"})
    assert registered(folder, home).weights == registered(folder, home).weights
    assert len(weights.candidates(home)) == 1
    students.head(folder, OTHER, {"is fire wet": "no"})
    assert registered(folder, home, OTHER[:8]).lineage.generation == 2
    assert registered(folder, home, ONE).lineage.generation == 1
    assert len(weights.candidates(home)) == 2


def test_what_the_gate_said_goes_along(folder, home):
    students.head(folder, ONE, {"is water wet": "yes"})
    for verdict, word in (("no", "failed"), ("untold", "failed"), ("yes", "passed")):
        write_json(folder.root / "gate" / f"{verdict}.json", {"verdict": verdict, "student": {"digest": ONE}})
        made = registered(folder, home)
        assert (made.lineage.gate, bool(made.weights.evidence)) == (word, True)


@pytest.mark.parametrize("spoilt", FILES)
def test_a_file_that_was_changed_or_lost_is_refused_and_nothing_is_listed(folder, home, spoilt):
    students.head(folder, ONE, {"is water wet": "yes"})
    path = folder.student(ONE) / spoilt
    path.write_bytes(path.read_bytes()[:-9] + b"otherbyte")
    with pytest.raises(RegisterError, match="rain it again"):
        registered(folder, home)
    path.unlink()
    with pytest.raises(RegisterError):
        registered(folder, home)
    assert weights.candidates(home) == ()


def test_a_full_disk_leaves_nothing_behind(folder, home, monkeypatch):
    students.head(folder, ONE, {"is water wet": "yes"})
    monkeypatch.setattr("router.registry.heads.shutil.disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(RegisterError, match="10 bytes free"):
        registered(folder, home)
    assert weights.candidates(home) == ()
    assert not list((home / "models").glob("*.nano*"))


def test_a_model_with_another_vocabulary_than_its_base_is_refused(folder, home, tmp_path):
    path, sha256 = write_gguf(tmp_path / "base.gguf", SIZED)
    weights.add(home, "small", str(path), sha256, today=TODAY, name="base")
    students.model(folder, ONE, SIZED | {"tokenizer.ggml.tokens": ["<s>", "<pad>"]}, base_sha256=sha256)
    with pytest.raises(RegisterError, match="word 1 differs"):
        registered(folder, home)
    students.model(folder, OTHER, SIZED | {"tokenizer.ggml.tokens": ["<s>"]}, base_sha256=sha256)
    with pytest.raises(RegisterError, match="says 2 words and lists 1"):
        registered(folder, home, OTHER)
    assert weights.candidates(home) == ()
    fine = students.digest("fine")
    students.model(folder, fine, SIZED | {"general.name": "Taught"}, base_sha256=sha256)
    made = registered(folder, home, fine)
    assert (made.notes, made.weights.kind) == ((), "gguf")


def test_a_base_that_is_not_here_is_noted(folder, home):
    students.model(folder, ONE, SIZED)
    assert "vocabulary was not compared" in registered(folder, home).notes[0]


def test_a_name_that_is_taken_is_refused(folder, home, tmp_path):
    path, sha256 = write_gguf(tmp_path / "a.gguf")
    weights.add(home, "small", str(path), sha256, today=TODAY, name="taken")
    students.head(folder, ONE, {"is water wet": "yes"})
    with pytest.raises(RegisterError, match="'taken' was added before"):
        registered(folder, home, name="taken")


def test_of_several_students_one_has_to_be_named(folder, home):
    with pytest.raises(RegisterError, match="no student is here"):
        registered(folder, home)
    students.head(folder, ONE, {"is water wet": "yes"})
    students.head(folder, OTHER, {"is water wet": "no"}, name="second")
    with pytest.raises(RegisterError, match="say which student"):
        registered(folder, home)
    with pytest.raises(RegisterError, match="no student is called 'third'"):
        registered(folder, home, "third")
    assert registered(folder, home, "second").weights.student == OTHER
    (folder.student(ONE) / "student.json").write_text("{")
    with pytest.raises(RegisterError, match="is no student"):
        registered(folder, home, "second")


def test_a_model_that_lives_elsewhere_gets_lines_for_the_settings(folder, home):
    place = folder.student(ONE)
    place.mkdir(parents=True)
    students.told(place, kind="remote", name="tuned", model="ft:small:1", base="small-base")
    made = registered(folder, home)
    assert made.weights is None
    head = "stillhouse: 1\nupstreams: {NAME: {kind: openai, base_url: 'http://127.0.0.1:1/v1'}}\n"
    rest = "  - {tier: small, upstream: NAME, model: today}\n"
    (home / "stillhouse.yaml").write_text(head + made.settings + rest)
    tier = load_settings(home / "stillhouse.yaml").tiers[0]
    assert (tier.model, tier.candidate, tier.lineage.student_base) == ("ft:small:1", True, "small-base")


def test_the_command_says_that_nothing_serves_it_yet(folder, home):
    students.head(folder, ONE, {"is water wet": "yes"})
    result = run("--tier", "small")
    assert result.exit_code == 0
    assert "nothing serves it until a policy names it" in result.output
    told = json.loads(run("--tier", "small", "--json").output)
    assert (told["student"], told["lineage"]["gate"]) == (ONE, "unknown")
    assert run("nobody", "--tier", "small").exit_code == 2
