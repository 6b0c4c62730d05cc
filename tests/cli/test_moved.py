import json
import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from router.score import load
from stillhouse.cli.explain import command
from stillhouse.cli.moved import moved

SCORER = load()
PROMPTS = st.one_of(st.text(st.characters(), max_size=200), st.just("Prove that there are infinitely many primes."))


@given(PROMPTS, st.sampled_from(SCORER.families))
def test_the_parts_add_up_in_logits_and_in_points(prompt, family):
    found = moved(SCORER, prompt, family)
    assert sum(part.points for part in found.parts) == pytest.approx(
        100 * SCORER.score(prompt, family).complexity, abs=0.05
    )
    (wording,) = [part for part in found.parts if part.name == "wording"]
    assert sum(gram.logit for gram in found.grams) == pytest.approx(wording.logit, abs=1e-3)
    assert sum(gram.points for gram in found.grams) == pytest.approx(wording.points, abs=0.05)


@given(PROMPTS)
def test_points_have_the_sign_of_their_push(prompt):
    found = moved(SCORER, prompt, "generic")
    assert all(part.points * part.logit >= 0 for part in (*found.parts[1:], *found.grams))


def test_explain_names_the_words_that_pushed_and_the_sums():
    shown = CliRunner().invoke(command, ["Prove that there are infinitely many primes."]).stdout
    assert "the words it uses" in shown
    assert re.search(r'"(?:prove|that|there|are|infinitely|many|primes)[a-z ]*"', shown)
    assert "together" in shown


def test_explain_as_json_adds_up():
    said = json.loads(CliRunner().invoke(command, ["--json", "소수는 왜 무한히 많은가?"]).stdout)
    assert sum(part["points"] for part in said["moved"]) == pytest.approx(100 * said["complexity"], abs=0.1)
    assert {"part", "words", "logit", "points"} == set(said["moved"][0])
    wording = next(part["logit"] for part in said["moved"] if part["part"] == "wording")
    assert sum(gram["logit"] for gram in said["wording"]) == pytest.approx(wording, abs=0.01)
