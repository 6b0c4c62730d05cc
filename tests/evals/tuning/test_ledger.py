"""A ledger becomes a table in which every row knows what was served and how probable that was."""

from __future__ import annotations

import numpy as np
import pytest

from evals.tuning import reading
from evals.tuning.choose import decided, tiers_of
from evals.tuning.counterfactual import logged
from evals.tuning.ledger import BLOCKED, NO_TIER, from_ledger
from router.core.decide import Caller, Fleet, decide
from router.core.explore import Lot
from router.ledger.db import LedgerError
from router.ledger.decisions import SIGNAL, decisions, judgements, kind_of
from router.ledger.feedback import Feedback, give
from router.ledger.read import Span
from router.ledger.writer import Ledger
from router.types import TIER_NAMES, Deployment, Features, Reason, Score
from tests.evals.tuning.worlds import policy_of
from tests.support.records import NOON, attempt, request

FEATURES = Features(
    language="ko",
    input_tokens=120,
    ask_chars=40,
    turns=1,
    tools=True,
    images=False,
    findings=("pii.EMAIL",),
    max_output=9,
)
SCORED = {
    "features": FEATURES,
    "family": "generic",
    "artefact_hash": "a" * 64,
    "p_right": {"small": 0.6, "medium": 0.7, "large": 0.8},
    "predicted_cost": {"small": 10, "medium": 20, "large": 100},
    "novelty": 0.25,
}


def scored(name, **changes):
    return request(name, **{**SCORED, **changes})


@pytest.fixture
def ledger(home):
    """Write requests (each with its attempts) and return the ledger's path."""

    def write(*stories):
        path = home / "ledger.db"
        kept = Ledger(path)
        for story in stories:
            record, attempts = story if isinstance(story, tuple) else (story, [attempt()])
            kept.record(record, attempts)
        kept.close()
        return path

    return write


def test_a_row_says_what_was_served_and_what_came_of_it(ledger):
    path = ledger(scored("a", propensity=0.95, tier_served="medium", tier_wanted="medium", tag="x, y"))
    give(path, Feedback(request_id="a", at_ms=NOON, who="person", score=0.5, given_ms=NOON))
    give(path, Feedback(request_id="a", at_ms=NOON, who="judge", score=1.0, given_ms=NOON))
    give(path, Feedback(request_id="a", at_ms=NOON, who=SIGNAL, score=0.0, given_ms=NOON))
    table = from_ledger(path)
    assert (len(table), table.tiers[table.taken[0]], table.propensity[0]) == (1, "medium", 0.95)
    assert table.quality[0, 1] == 0.75  # signals are weak and do not count
    assert np.isnan(table.quality[0, [0, 2]]).all()
    assert (table.cost[0, 1], table.baseline[0], table.latency[0, 1]) == (1_000, 9_000, 120.0)
    assert table.chance[0].tolist() == [0.6, 0.7, 0.8]
    assert table.guess[0].tolist() == [10, 20, 100]
    assert (table.input_tokens[0], table.output_limit[0]) == (120, 9)
    named = {name: column.names[column.codes[0]] for name, column in table.slices.items()}
    assert named == {"tenant": "acme", "tag": "x, y", "language": "ko", "findings": "pii.EMAIL"}
    assert (table.facts["tools"][0], table.facts["images"][0]) == (True, False)


def test_rules_can_be_asked_of_a_ledger(ledger):
    path = ledger(
        scored("a"),
        scored("b", features=Features(language="en", input_tokens=1, ask_chars=1, turns=1, tools=False, images=False)),
    )
    policy = policy_of(
        rules=[{"name": "post", "when": {"findings": ["EMAIL"], "tools": True, "tenant": ["acme"]}, "pin": "large"}],
        quality={"keep": 0.5},
    )
    assert tiers_of(policy, from_ledger(path)).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("changes", "propensity"),
    [
        ({"propensity": 0.05}, 0.05),
        ({"mode": "direct", "propensity": 0.3}, 1.0),
        ({"mode": "pinned"}, 1.0),
        ({"reasons": (Reason(id="cascade-kept", text="kept"),)}, np.nan),
    ],
)
def test_how_probable_an_answer_was_is_known_or_said_to_be_unknown(ledger, changes, propensity):
    table = from_ledger(ledger(scored("a", **changes)))
    assert table.propensity.tolist() == pytest.approx([propensity], nan_ok=True)


def test_a_stand_in_from_another_tier_has_no_known_probability(ledger):
    calls = [attempt(0, outcome="error"), attempt(1, kind="fallback", tier="large")]
    same = [attempt(0, outcome="error"), attempt(1, kind="fallback", tier="small")]
    table = from_ledger(ledger((scored("a", tier_served="large"), calls), (scored("b"), same)))
    assert np.isnan(table.propensity).tolist() == [True, False]


def test_a_caller_who_names_a_tier_keeps_it_in_the_simulation(ledger):
    path = ledger(scored("a", mode="direct", tier_wanted="large", tier_served="large"), scored("b"))
    assert tiers_of(policy_of(quality={"keep": 0.1}), from_ledger(path)).tolist() == [2, 0]


def test_rows_that_say_nothing_are_left_out_and_counted(ledger):
    table = from_ledger(
        ledger(
            scored("a"),
            scored("b", guard_in="block", outcome="blocked_input", tier_served=None),
            scored("c", outcome="upstream_error", tier_served=None),
            scored("d", family="gemma-2"),
            scored("e", mode="guard"),
        )
    )
    assert len(table) == 1
    assert table.left_out == {BLOCKED: 1, NO_TIER: 1, "scored for family 'gemma-2', not 'generic'": 1}


def test_an_unscored_request_goes_to_the_fallback_tier(ledger):
    bare = {"family": None, "p_right": None, "predicted_cost": None, "novelty": None, "artefact_hash": None}
    table = from_ledger(ledger(scored("a", **bare)))
    assert tiers_of(policy_of(fallback_tier="medium"), table).tolist() == [1]


def test_requests_of_one_session_are_one_witness(ledger):
    table = from_ledger(ledger(scored("a", session="s"), scored("b"), scored("c", session="s"), scored("d")))
    assert table.stem[0] == table.stem[2]
    assert len(set(table.stem.tolist())) == 3


def test_a_span_chooses_requests(ledger):
    path = ledger(scored("a"), scored("b", tenant="globex"), scored("c", at_ms=NOON - 10_000))
    assert len(from_ledger(path, Span(tenant="globex"))) == 1
    assert len(from_ledger(path, Span(since_ms=NOON))) == 2


def test_many_processes_read_what_one_does(ledger, monkeypatch):
    stories = [
        scored(
            f"r{n:03d}",
            tenant=("acme", "회사")[n % 2],
            tag=f"t{n % 3}",
            session=None if n % 4 else f"s{n % 8}",
            tier_served=("small", "large")[n % 2],
            tier_wanted=("small", "large")[n % 2],
        )
        for n in range(60)
    ]
    path = ledger(*stories)
    for n in range(0, 60, 5):
        give(path, Feedback(request_id=f"r{n:03d}", at_ms=NOON, who="person", score=n / 60, given_ms=NOON))
    one = from_ledger(path)
    monkeypatch.setattr(reading, "WORTH_A_PROCESS", 40)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    two = from_ledger(path)
    assert two.fingerprint == one.fingerprint
    assert two.stem.tolist() == one.stem.tolist()
    assert np.count_nonzero(~np.isnan(two.quality)) == 12


def test_parts_join_in_order_with_codes_that_still_name_the_same(ledger):
    path = ledger(*[scored(f"r{n}", tenant=f"t{n % 3}", session=f"s{n % 2}") for n in range(10)])
    span = Span()
    whole = reading.part(path, span, (0, 100))
    joined = reading.joined([reading.part(path, span, cut) for cut in ((0, 4), (4, 4), (4, 100))])
    assert [joined.kinds[k].tenant for k in joined.kind] == [whole.kinds[k].tenant for k in whole.kind]
    assert [joined.clusters[k] for k in joined.cluster] == [whole.clusters[k] for k in whole.cluster]
    assert joined.row.tolist() == whole.row.tolist()


def test_an_empty_ledger_is_an_empty_table(ledger):
    table = from_ledger(ledger())
    assert (len(table), table.source) == (0, "no requests")


def test_there_must_be_a_ledger(tmp_path):
    with pytest.raises(LedgerError, match="there is no such file"):
        from_ledger(tmp_path / "none.db")


def test_a_callers_odd_words_stay_in_the_tag(ledger):
    path = ledger(scored("a", tag="odd\x1ftag"))
    (page,) = decisions(path)
    kind = kind_of(page.kind[0], page.flags[0])
    assert (kind.tenant, kind.tag, kind.mode, kind.served) == ("acme", "odd\x1ftag", "routed", "small")
    assert judgements(path) == []


def test_the_logging_policy_gives_every_taken_tier_its_logged_propensity(ledger):
    policy = policy_of(quality={"keep": 0.9}, explore={"epsilon": 0.3, "band": 0.1})
    there = tuple(Deployment(name=t, tier=t, model="m", upstream="u", private=True) for t in TIER_NAMES)
    rng = np.random.default_rng(5)
    stories, propensities = [], []
    for n in range(200):
        hard = rng.random()
        p = {"small": 0.95 - 0.5 * hard, "medium": 0.95 - 0.2 * hard, "large": 0.95 - 0.1 * hard}
        score = Score(p_right=p, output_tokens={}, complexity=hard, novelty=0.1, artefact="a", family="generic")
        made = decide(policy, FEATURES, score, Caller(), Fleet(there, {}), lot=Lot(float(rng.random()), "k"))
        propensities.append(made.propensity)
        stories.append(
            scored(
                f"r{n:03d}",
                p_right=p,
                novelty=0.1,
                predicted_cost={},
                tier_wanted=made.wanted,
                tier_served=made.served,
                propensity=made.propensity,
                reasons=made.reasons,
            )
        )
    table = from_ledger(ledger(*stories))
    shares = decided(policy, table).shares[np.arange(200), table.taken]
    assert shares == pytest.approx(propensities)
    assert len(set(propensities)) > 2
    about = logged(table, decided(policy, table).shares, table.cost, table.guess).support
    assert (about.ess, about.mean_weight) == pytest.approx((200, 1.0))
