"""Curating: what is held out stays out, what is personal is masked, the same input gives the same bytes."""

import gzip
import json
import random

import msgspec
import pytest

from evals.distill.apart import Overlap, check_apart
from evals.distill.curate import shards
from evals.distill.curate.rules import Rules
from evals.distill.curate.run import CurationError, curate
from evals.distill.curate.signs import folded, shingles
from evals.distill.example import RowError, encode, prompt_id, read_examples
from evals.distill.folder import Folder
from tests.evals.distill import made

RULES = Rules(budget=120, holdout_rows=40)


def loop(tmp_path, name="loop"):
    return Folder.of(tmp_path, name)


def marks(row):
    return frozenset(shingles(folded(row.messages)).tolist())


def left(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.root.iterdir())}


def test_rows_come_from_where_the_small_tier_fails_and_the_control_from_everywhere(tmp_path):
    source = made.write(tmp_path / "rows.jsonl", made.rows(900))
    manifest = curate([source], loop(tmp_path), RULES)
    rows = manifest["rows"]
    assert (rows["read"], rows["train"], rows["control"], rows["holdout"]) == (900, 120, 120, 40)
    assert rows["failed_in_train"] > 2 * rows["failed_in_control"]
    train = list(read_examples(loop(tmp_path).train))
    subjects = [next(word for word in made.SUBJECTS if word in one.messages[1].content) for one in train]
    assert sum(subject in {"refund", "invoice"} for subject in subjects) > 0.7 * len(subjects)
    assert {one.route for one in train} == {"r0", "r1"}
    assert all(one.cluster is not None for one in train)
    assert sum(manifest["left_out"].values()) + rows["pool"] + rows["holdout"] == 900


def test_the_same_input_gives_the_same_bytes_in_whatever_order_its_rows_and_shards_come(tmp_path, monkeypatch):
    rows = made.rows(400)
    source = made.write(tmp_path / "rows.jsonl", rows)
    curate([source], loop(tmp_path, "a"), RULES)
    random.Random(3).shuffle(rows)
    with gzip.open(tmp_path / "again.jsonl.gz", "wb") as packed:
        packed.write(b"".join(encode(one) + b"\n" for one in rows))
    curate([tmp_path / "again.jsonl.gz"], loop(tmp_path, "b"), RULES)
    curate([source], loop(tmp_path, "c"), RULES)
    a, b, c = (left(loop(tmp_path, name)) for name in "abc")
    assert a == c
    assert {name: data for name, data in a.items() if name != "manifest.json"} == {
        name: data for name, data in b.items() if name != "manifest.json"
    }


def test_cut_lines_belong_to_one_shard_each(tmp_path):
    source = made.write(tmp_path / "rows.jsonl", made.rows(60))
    size = source.stat().st_size
    for step in (101, 997, size // 2, size, size * 2):
        lines = [line for part in shards.cut([source], step) for _, line in shards._lines(part)]
        assert b"".join(lines) == source.read_bytes()


def test_a_holdout_is_never_written_again_and_nothing_learned_says_the_same(tmp_path):
    first = made.write(tmp_path / "first.jsonl", made.rows(500, seed=1))
    folder = loop(tmp_path)
    curate([first], folder, RULES)
    held = folder.holdout.read_bytes()
    near = [
        msgspec.structs.replace(one, messages=(one.messages[0], msgspec.structs.replace(
            one.messages[1], content=one.messages[1].content.upper() + "  please")))
        for one in read_examples(folder.holdout)
    ]  # fmt: skip
    near = [msgspec.structs.replace(one, id=prompt_id(one.messages)) for one in near]
    second = made.write(tmp_path / "second.jsonl", [*made.rows(500, seed=2), *near, *read_examples(folder.holdout)])
    manifest = curate([second], folder, RULES)
    assert folder.holdout.read_bytes() == held
    assert manifest["left_out"]["repeats a holdout row"] >= 30  # the rest fell to the holdout's side by hash
    holdout = [marks(one) for one in read_examples(folder.holdout)]
    for path in (folder.train, folder.control):
        check_apart(path, folder.holdout)
        ids = {one.id for one in read_examples(path)}
        assert not ids & {one.id for one in read_examples(folder.holdout)}
        said = [marks(one) for one in read_examples(path)]
        assert max(len(one & other) / len(one | other) for one in said for other in holdout) < RULES.near


def test_a_run_that_was_cut_short_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    source = made.write(tmp_path / "rows.jsonl", made.rows(300))
    whole = loop(tmp_path, "whole")
    curate([source], whole, RULES)
    broken = loop(tmp_path, "broken")
    real = shards._gathered
    monkeypatch.setattr(shards, "_gathered", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        curate([source], broken, RULES)
    monkeypatch.setattr(shards, "_gathered", real)
    monkeypatch.setattr(shards, "_clean_shard", lambda *_: pytest.fail("a shard was done twice"))
    curate([source], broken, RULES)
    assert left(broken) == left(whole)


def test_a_run_killed_between_its_files_ends_the_same(tmp_path):
    source = made.write(tmp_path / "rows.jsonl", made.rows(300))
    folder = loop(tmp_path)
    curate([source], folder, RULES)
    before = left(folder)
    folder.train.unlink()
    folder.manifest.unlink()
    curate([source], folder, RULES)
    assert left(folder) == before


def test_seeded_personal_data_is_in_no_file(tmp_path):
    rng = random.Random(9)
    secrets = [f"kim{n}.{rng.randrange(10**6)}@mail{n % 7}.example.com" for n in range(60)]
    secrets += [f"+82 10-{rng.randrange(2000, 9999)}-{rng.randrange(1000, 9999)}" for _ in range(30)]
    secrets += [f"sk-proj-{''.join(rng.choices('abcdefghijkmnpqrstuvwxyzABCDEFGH23456789', k=48))}" for _ in range(30)]
    rows = made.rows(400)
    for n, secret in enumerate(secrets):
        said = f"{made.text(rng, 'refund')} write to {secret} today"
        rows[n] = made.row(said, answer=f"I wrote to {secret}.", rejected=f"Who is {secret}?", failure="escalated",
                           tokens=({secret: -0.1},), soft={f"to {secret}": -0.1})  # fmt: skip
    source = made.write(tmp_path / "rows.jsonl", rows)
    folder = loop(tmp_path)
    manifest = curate([source], folder, RULES)
    assert manifest["rows"]["masked"] == len(secrets)
    everything = b"".join(left(folder).values()).decode()
    assert [secret for secret in secrets if secret in everything] == []


def test_rows_with_personal_data_can_be_dropped(tmp_path):
    rows = [*made.rows(200), made.row("my mail is someone@example.com and nothing else")]
    manifest = curate([made.write(tmp_path / "rows.jsonl", rows)], loop(tmp_path),
                      msgspec.structs.replace(RULES, personal="drop"))  # fmt: skip
    assert manifest["left_out"]["personal data"] == 1


@pytest.mark.parametrize(
    ("bad", "reason", "rules"),
    [
        (made.row("why", answer="I'm sorry, but I can't help with that."), "the teacher refused", {}),
        (made.row("why not", licence="forbidden"), "licence forbids training", {}),
        (made.row("why not", licence="unknown"), "licence unknown", {"licence": True}),
        (made.row("why not", answer=None), "no answer", {"answers": True}),
        (made.row("why " * 9000), "too long", {}),
        (made.row("   "), "no text", {}),
        (
            made.row("say swordfish"),
            "blocked by a guard",
            {"guards": ({"words": {"words": ["swordfish"], "action": "block"}},)},
        ),
    ],
)
def test_each_reason_is_counted(tmp_path, bad, reason, rules):
    source = made.write(tmp_path / "rows.jsonl", [*made.rows(150), bad])
    manifest = curate([source], loop(tmp_path), msgspec.structs.replace(RULES, **rules))
    assert manifest["left_out"][reason] == 1


def test_rows_of_other_work_are_kept_to_see_what_is_forgotten(tmp_path):
    source = made.write(tmp_path / "rows.jsonl", made.rows(400))
    folder = loop(tmp_path)
    manifest = curate([source], folder, msgspec.structs.replace(RULES, where={"route": "r1"}, general_rows=30))
    assert manifest["rows"]["general"] == 30
    assert {one.route for one in read_examples(folder.general)} == {"r0"}
    assert {one.route for one in read_examples(folder.train)} == {"r1"}
    assert {one.route for one in read_examples(folder.holdout)} == {"r1"}


def test_too_few_rows_teach_nothing(tmp_path):
    source = made.write(tmp_path / "rows.jsonl", [*made.rows(40), made.row("why", licence="forbidden")])
    with pytest.raises(CurationError, match=r"of 41 .* 50 are the fewest.*1 licence forbids training"):
        curate([source], loop(tmp_path), RULES)
    assert not loop(tmp_path).train.exists()


def test_a_line_that_is_no_row_is_named_without_its_words(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(encode(made.row("hello there")) + b'\n{"id": "x", "messages": "swordfish"}\n')
    with pytest.raises(RowError, match=r"rows.jsonl, byte \d+: Expected `array`") as caught:
        curate([source], loop(tmp_path), RULES)
    assert "swordfish" not in str(caught.value)


def test_rows_that_are_held_out_are_refused_before_a_training(tmp_path):
    rows = made.rows(20)
    held, apart = made.write(tmp_path / "held.jsonl", rows[:5]), made.write(tmp_path / "apart.jsonl", rows[5:])
    check_apart(apart, held)
    with pytest.raises(Overlap, match=r"none\.jsonl is not there"):
        check_apart(apart, tmp_path / "none.jsonl")
    with pytest.raises(Overlap, match=r"1 of its 16 rows"):
        check_apart(made.write(tmp_path / "same.jsonl", rows[4:]), held)
    shouted = made.row(rows[0].messages[1].content.upper())
    with pytest.raises(Overlap, match=r"1 of its 1 rows"):
        check_apart(made.write(tmp_path / "near.jsonl", [shouted]), held)


def test_the_command_tells_what_it_chose(tmp_path, home):
    from click.testing import CliRunner

    from stillhouse.cli.main import cli

    source = made.write(tmp_path / "rows.jsonl", made.rows(300))
    said = CliRunner().invoke(cli, ["distill", "curate", "help-desk", str(source), "--budget", "80", "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["rows"]["train"] == 80
    assert (home / "distill" / "help-desk" / "train.jsonl").exists()
    said = CliRunner().invoke(cli, ["distill", "curate", "help-desk", str(source), "--where", "colour=red"])
    assert said.exit_code == 2
    assert "'colour' is none of the fields" in said.stderr
