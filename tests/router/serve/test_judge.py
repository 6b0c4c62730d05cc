"""The judge over a ledger, without a gateway: what is counted, once, and what it makes of cost, latency and tenants."""

import msgspec
import pytest

from router.core.rollout import WATCHES, Plan
from router.core.tally import ENOUGH, OWN, Tally, readings
from router.ledger.writer import Ledger
from router.registry import counts, proposals
from router.serve.judge import Judge
from router.serve.rollouts import Taken, Trial
from tests.support.records import NOON, request

BASE = "stillhouse: 1\nname: ours\nquality: {keep: 0.9}\n"


@pytest.fixture
def ledger(home):
    kept = Ledger(home / "ledger.db")
    yield kept
    kept.close()


def trial(home, plan):
    """A roll-out that began at noon."""
    for name, keep in (("base", 0.9), ("next", 0.8)):
        (home / f"{name}.yaml").write_text(BASE.replace("0.9", str(keep)))
    it = proposals.propose(
        home, home / "next.yaml", by="ana", now_ms=NOON, against=home / "base.yaml", evidence=b"{}"
    )  # fmt: skip
    it = proposals.approve(home, it.id, plan, by="bo", why="x", now_ms=NOON)
    data = {"step": 0, "share": plan.steps[0], "reason": ("canary-begins", "x")}
    assert proposals.moved(home, it, "stepped", data, by="gateway:0", now_ms=NOON)
    return Trial(proposals.standing(home).proposals[it.id], None, "base", b"k")


def put(ledger, on, number, arm="", **changes):
    """One more request; in an arm where one is named."""
    variant = f"{arm}:{on.proposal.id}" if arm else ""
    version = "next" if arm == "canary" else "base"
    given = {"at_ms": NOON + 61_000, "policy_hash": version, "policy": "ours", "variant": variant, **changes}
    ledger.record(request(f"r{number}", **given))


def judged(home, ledger, on, *names):
    assert ledger.flush()
    for name in names or ("0",):
        Judge(home, ledger.place, name).look(Taken(trials={"ours": on}), NOON + 100_000)
    return [msgspec.json.decode(body, type=Tally) for body in counts.bodies(home, on.proposal.id)]


def plan(*signals, **given):
    watches = tuple(watch for watch in WATCHES if watch.signal in signals)
    return Plan(**{"steps": (0.5, 1.0), "unit": "request", "min_requests": 10_000, "watches": watches, **given})


def said(home, on):
    return proposals.standing(home).proposals[on.proposal.id]


def test_gateways_with_one_ledger_count_each_row_once(home, ledger):
    on = trial(home, plan("errors"))
    for i in range(20):
        put(ledger, on, i, "canary" if i % 2 else "incumbent")
    [tally] = judged(home, ledger, on, "0", "1", "0")
    assert (tally.exposed, tally.counts["errors"].canary, tally.counts["errors"].incumbent) == (10, 10, 10)


def test_a_dearer_canary_is_sent_back_and_an_equal_one_is_not(home, ledger):
    for factor, state in ((1, "rolling"), (8, "rolled_back")):
        on = trial(home, plan("cost"))
        for i in range(ENOUGH + 20):
            put(ledger, on, f"before-{factor}-{i}", at_ms=NOON - 9_000_000, cost_nano=1_000 + 90 * (i % 100))
        for i in range(160):
            arm = "canary" if i % 2 else "incumbent"
            put(ledger, on, f"{factor}-{i}", arm, cost_nano=500 * (factor if i % 2 else 1))
        judged(home, ledger, on)
        assert said(home, on).state == state
        if state == "rolling":
            proposals.roll_back(home, "ours", by="ana", why="next", now_ms=NOON)


def test_a_slower_canary_is_sent_back(home, ledger):
    on = trial(home, plan("latency"))
    for i in range(ENOUGH):
        put(ledger, on, f"before-{i}", total_ms=100.0 + i)
    for i in range(120):
        put(ledger, on, i, "canary" if i % 2 else "incumbent", total_ms=900.0 if i % 4 == 1 else 110.0)
    judged(home, ledger, on)
    assert said(home, on).said[1].startswith("latency is worse by more than 5.0%")


def test_cost_and_latency_wait_until_it_is_known_what_is_usual(home, ledger):
    on = trial(home, plan("cost", "latency", min_requests=5))
    for i in range(20):
        put(ledger, on, i, "canary" if i % 2 else "incumbent")
    [tally] = judged(home, ledger, on)
    assert tally.scale is None
    assert said(home, on).said[0] == "canary-unseen"


def test_tenants_are_compared_with_themselves(home, ledger):
    on = trial(home, plan("errors", unit="tenant"))
    for i in range(4 * OWN):
        put(ledger, on, f"hard-{i}", tenant="hard", at_ms=NOON - 9_000, outcome="upstream_error" if i % 2 else "ok")
        put(ledger, on, f"easy-{i}", tenant="easy", at_ms=NOON - 9_000)
    for i in range(100):
        put(ledger, on, f"c-{i}", "canary", tenant="hard", outcome="upstream_error" if i % 2 else "ok")
        put(ledger, on, f"i-{i}", "incumbent", tenant="easy")
        put(ledger, on, f"n-{i}", "canary", tenant="new", outcome="upstream_error")
    [tally] = judged(home, ledger, on)
    read = readings(on.proposal.plan, [tally], 0)["errors"]
    assert (read.canary, read.incumbent, tally.left_out) == (100, 100, 100)
    assert read.difference == pytest.approx(0, abs=0.02)
    assert said(home, on).state == "rolling"


def test_tenants_learn_what_is_usual_for_cost_once_that_is_known(home, ledger):
    on = trial(home, plan("errors", "cost", unit="tenant"))
    for i in range(OWN):
        put(ledger, on, f"before-{i}", at_ms=NOON - 9_000)
    [tally] = judged(home, ledger, on)
    assert set(tally.own["acme"]) == {"errors", "blocked"}
    for i in range(ENOUGH):
        put(ledger, on, i, "incumbent")
    [tally] = judged(home, ledger, on)
    assert set(tally.own["acme"]) == {"errors", "blocked", "cost", "latency"}


def test_a_ledger_that_was_replaced_holds_the_roll_out_and_is_said(home, ledger, caplog):
    on = trial(home, plan("errors"))
    put(ledger, on, 1, "canary")
    judged(home, ledger, on)
    with counts.turn(home, on.proposal.id, Judge(home, ledger.place, "0")._key) as turn:
        body = msgspec.json.decode(turn.body, type=Tally)
        turn.body = msgspec.json.encode(msgspec.structs.replace(body, rows=999)).decode()
    judged(home, ledger, on)
    assert "shorter than it was" in caplog.text
    assert said(home, on).state == "rolling"


def test_counts_that_were_removed_are_counted_again_with_the_same_result(home, ledger):
    on = trial(home, plan("errors", unit="session"))
    for i in range(40):
        outcome = "upstream_error" if i % 5 == 0 else "ok"
        put(ledger, on, i, "canary" if i % 2 else "incumbent", session=f"s{i // 2 % 10}", outcome=outcome)
    before = judged(home, ledger, on)
    counts.path(home).unlink()
    for more in ("-wal", "-shm"):
        (counts.path(home).parent / f"counts.db{more}").unlink(missing_ok=True)
    assert judged(home, ledger, on) == before
