import json

import numpy as np
import pytest

from evals import adapt
from evals.importers.outcomes import OutcomeError, read_outcomes
from router.ledger.feedback import Judged
from router.score import artefact, graft, load, together
from router.score.scorer import Scorer
from tests.support.own import own_rows, write_rows


@pytest.fixture(scope="module")
def shipped():
    return artefact.load(artefact.SHIPPED)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return read_outcomes(write_rows(tmp_path_factory.mktemp("own") / "rows.jsonl", own_rows()))


def adapted(start, rows, family="ours", used=None):
    material = adapt.material_of_rows(start, family, rows, {})
    rival = adapt.rival_of(start, used or start, family, material)
    return adapt.adapted(start, family, material, rival, {"rows.jsonl": "0" * 64})


@pytest.fixture(scope="module")
def found(shipped, rows):
    return adapted(shipped, rows)


@pytest.fixture(scope="module")
def written(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "artefact"
    adapt.write(folder, found)
    return folder


def test_the_new_family_has_learned_what_is_hard(written):
    scorer = load(written)
    hard, easy = (
        scorer.score(text, "ours") for text in ("Work out the torque of shaft 7", "Greet guest number 8 by name")
    )
    assert hard.complexity > easy.complexity + 0.3
    assert hard.p_right["large"] > hard.p_right["small"] + 0.3


def test_serving_says_what_the_adaptation_says(shipped, rows, written):
    scorer = load(written)
    kept = artefact.load(written)
    material = adapt.material_of_rows(shipped, "ours", rows, {})
    logits, _, _ = adapt.rival_of(shipped, kept, "ours", material)
    served = [list(scorer.score(row.prompt, "ours").p_right.values()) for row in rows]
    assert np.allclose(served, 1 / (1 + np.exp(-logits)), atol=0.01)


def test_the_artefact_holds_the_blend_of_two_learners(shipped, rows, written, tmp_path):
    """Judged on rows that neither saw: what the stored arrays say is two thirds of one and a third of the other."""
    folds = adapt.folds_by_stem([row.stem for row in rows], adapt.SEED)
    sample = adapt.material_of_rows(shipped, "ours", rows, {}).sample
    taught = together.learn(sample, np.unique(folds, return_inverse=True)[1] % 3, adapt.adapt.RECIPES, adapt.SEED)
    fresh = adapt.material_of_rows(
        shipped, "ours", read_outcomes(write_rows(tmp_path / "fresh.jsonl", own_rows(200, seed=9)[120:])), {}
    )
    stored, _, _ = adapt.rival_of(shipped, artefact.load(written), "ours", fresh)
    blend = 2 / 3 * taught.recipes.logits(fresh.sample) + 1 / 3 * taught.alone.logits(fresh.sample)
    assert np.allclose(stored, blend, atol=0.02)
    assert not np.allclose(stored, taught.recipes.logits(fresh.sample), atol=0.02)


def test_the_verdict_is_of_the_blend(shipped, rows):
    material = adapt.material_of_rows(shipped, "ours", rows, {})
    folds = adapt.folds_by_stem(material.stems, adapt.SEED)
    there = folds != folds[0]
    inner = np.unique(folds[there], return_inverse=True)[1] % adapt.INNER_FOLDS
    taught = together.learn(material.sample.rows(there), inner, material.recipes, adapt.SEED)
    honest = adapt.honest_logits(material, folds, adapt.SEED)
    assert taught.alone is not None
    assert np.allclose(honest[~there], taught.change.logits(material.sample.rows(~there)))


def test_other_families_score_as_before(written):
    before, after = load(), load(written)
    for family in ("generic", "llama-3.1"):
        for text in ("What is the capital of France?", "Work out the torque of shaft 7", ""):
            one, other = before.score(text, family), after.score(text, family)
            assert one.p_right == pytest.approx(other.p_right, abs=1e-5)
            assert one.output_tokens == pytest.approx(other.output_tokens, rel=1e-4)


def test_an_explanation_still_adds_up(written):
    scorer = load(written)
    complexity = scorer.score("Work out the torque of shaft 7", "ours").complexity
    total = sum(push for _, push in scorer.explain("Work out the torque of shaft 7", "ours"))
    assert total == pytest.approx(np.log(complexity / (1 - complexity)), abs=1e-2)


def test_the_same_rows_give_the_same_bytes(shipped, rows, written, tmp_path):
    adapt.write(tmp_path / "again", adapted(shipped, rows))
    for name in ("weights.npz", "manifest.json", "MODEL_CARD.md"):
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()


def test_the_manifest_and_the_card_say_where_it_comes_from(shipped, written):
    manifest = json.loads((written / "manifest.json").read_text())
    own = manifest["own"]["ours"]
    assert manifest["root"] == own["start"] == shipped.digest
    assert own["data"] == {"rows.jsonl": "0" * 64}
    assert own["judged"]["gain"][1] > 0
    card = (written / "MODEL_CARD.md").read_text()
    assert manifest["digest"] in card
    assert own["recipes"][together.ALONE] == pytest.approx(1 / 3, abs=1e-4)
    assert f"{together.ALONE} 33%" in card
    assert "Greet" not in card + (written / "manifest.json").read_text()


def test_adapting_again_replaces_the_familys_directions(rows, written, tmp_path):
    once = artefact.load(written)
    more = read_outcomes(write_rows(tmp_path / "more.jsonl", own_rows(200)))
    twice = adapted(once, more, used=once)
    assert twice.arrays["table"].shape == once.arrays["table"].shape
    assert len(twice.manifest["models"]) == len(once.manifest["models"])
    assert twice.manifest["own"]["ours"]["base"] == "generic"


def test_a_second_family_leaves_the_first_as_it_is(rows, written):
    once = artefact.load(written)
    both = adapted(once, rows, family="theirs", used=once)
    scorer = Scorer(artefact.Artefact("0" * 64, both.manifest, both.arrays))
    text = "Work out the torque of shaft 7"
    assert scorer.score(text, "ours").p_right == pytest.approx(load(written).score(text, "ours").p_right, abs=1e-4)
    assert {"ours", "theirs"} <= set(scorer.families)


def test_a_candidate_that_is_not_better_is_refused_with_the_difference(shipped, rows):
    material = adapt.material_of_rows(shipped, "ours", rows, {})
    knows_all = np.where(material.sample.scores > 0.5, 6.0, -6.0)
    with pytest.raises(
        adapt.NotBetter, match=r"not better than the oracle: on 120 held-out rows its loss is 0\.\d+ higher"
    ):
        adapt.adapted(shipped, "ours", material, (knows_all, frozenset(), "the oracle"), {})


def test_rows_the_rival_learned_from_do_not_judge_it(shipped, rows, written):
    used = artefact.load(written)
    material = adapt.material_of_rows(shipped, "ours", rows, {})
    rival = adapt.rival_of(shipped, used, "ours", material)
    assert len(rival[1]) == len(rows)
    found = adapt.adapted(shipped, "ours", material, rival, {})
    assert "learned from these rows" in found.verdict.rival


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:40], "40 rows; adapting needs at least 50"),
        (lambda rows: [{**r, "scores": {"m": 1.0}} for r in rows], "the rows score m; say which of them is which tier"),
        (
            lambda rows: [*rows[:-1], {**rows[-1], "scores": {"small": 1, "large": 0}}],
            "row 'own/119' has no score for 'medium'",
        ),
        (lambda rows: [{**r, "scores": {**r["scores"], "small": 1}} for r in rows], "'small' score 1: one class only"),
    ],
)
def test_rows_that_cannot_teach_are_refused_by_name(shipped, tmp_path, change, words):
    rows = read_outcomes(write_rows(tmp_path / "bad.jsonl", change(own_rows())))
    with pytest.raises(OutcomeError, match=words):
        adapt.material_of_rows(shipped, "ours", rows, {})


def test_few_questions_under_many_rows_are_refused(shipped, tmp_path):
    rows = [{**row, "stem_hash": f"q{k % 4}"} for k, row in enumerate(own_rows())]
    with pytest.raises(OutcomeError, match="4 different questions"):
        adapted(shipped, read_outcomes(write_rows(tmp_path / "few.jsonl", rows)))


def test_a_folder_of_something_else_is_not_overwritten(found, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutcomeError, match="is not a scorer artefact"):
        adapt.write(tmp_path / "mine", found)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_an_unwritable_folder_is_named(found, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutcomeError, match="cannot be written"):
        adapt.write(tmp_path / "file" / "out", found)


# --- feedback


def answers(scorer, count=150):
    import base64

    for k, row in enumerate(own_rows(count)):
        place = scorer.score(row["prompt"]).place
        tier = ("small", "large")[k % 3 == 0]
        yield Judged(
            request_id=f"req-{k}", artefact_hash=scorer.digest, place=base64.b64encode(place).decode(), tier=tier,
            score=row["scores"][tier], question=f"req-{k}",
        )  # fmt: skip


def test_feedback_teaches_from_places_alone(shipped):
    judged = list(answers(load()))
    material, left = adapt.material_of_feedback(shipped, "ours", judged, {shipped.digest: shipped})
    assert left == 0
    assert material.sample.grams is None
    assert together.learn(material.sample, np.arange(150) % 3, material.recipes, adapt.SEED).alone is None
    found = adapt.adapted(shipped, "ours", material, adapt.rival_of(shipped, shipped, "ours", material), {})
    scorer = Scorer(artefact.Artefact("0" * 64, found.manifest, found.arrays))
    hard, easy = (
        scorer.score(text, "ours") for text in ("Work out the torque of shaft 7", "Greet guest number 8 by name")
    )
    assert hard.complexity > easy.complexity


def test_feedback_continues_from_what_rows_taught(written):
    used = artefact.load(written)
    judged = list(answers(load(written)))
    material, _ = adapt.material_of_feedback(used, "ours", judged, {used.digest: used})
    assert material.base == "ours"
    rival, _, words = adapt.rival_of(used, used, "ours", material)
    assert np.array_equal(rival, material.sample.start)
    served = load(written).score(own_rows()[1]["prompt"], "ours").p_right["small"]
    assert 1 / (1 + np.exp(-material.sample.start[1, 0])) == pytest.approx(served, abs=0.02)
    assert "in use" in words


def test_places_of_an_unknown_artefact_are_left_out_and_counted(shipped):
    judged = [a if k % 2 else type(a)(**{**{f: getattr(a, f) for f in a.__struct_fields__}, "artefact_hash": "f" * 64})
              for k, a in enumerate(answers(load()))]  # fmt: skip
    _, left = adapt.material_of_feedback(shipped, "ours", judged, {shipped.digest: shipped})
    assert left == 75
    with pytest.raises(OutcomeError, match="0 judged answers can be learned from, of 150"):
        adapt.material_of_feedback(shipped, "ours", judged, {})


def test_feedback_that_is_all_alike_is_refused(shipped):
    judged = [type(a)(**{**{f: getattr(a, f) for f in a.__struct_fields__}, "score": 1.0}) for a in answers(load())]
    with pytest.raises(OutcomeError, match="all 150 judged answers score 1: one class only"):
        adapt.material_of_feedback(shipped, "ours", judged, {shipped.digest: shipped})


def test_shared_directions_are_those_no_family_owns(shipped, written):
    used = artefact.load(written)
    whole = used.arrays["table"].shape[1]
    shared = graft.shared_columns(used.manifest, whole)
    assert len(shared) == shipped.arrays["table"].shape[1] == whole - 3
    assert np.array_equal(used.arrays["table"][:, shared], shipped.arrays["table"])
