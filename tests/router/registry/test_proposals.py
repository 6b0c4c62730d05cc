"""Proposals: who may do what, and where everything stands after any sequence of it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.rollout import Plan, Watch
from router.registry import proposals, trail, versions
from router.registry.proposals import ProposalError

BASE = "stillhouse: 1\nname: ours\nquality: {keep: 0.9}\n"
PASSED, REFUSED = b'{"verdict": "yes"}', b'{"verdict": "untold"}'


def file(home, keep, name="ours"):
    path = home / f"{name}-{keep}.yaml"
    path.write_text(BASE.replace("0.9", str(keep)).replace("ours", name))
    return path


def propose(home, keep=0.8, *, against=0.9, by="ana", evidence=b"{}", gate=None):
    ground = None if against is None else file(home, against)
    return proposals.propose(home, file(home, keep), by=by, now_ms=1, against=ground, evidence=evidence, gate=gate)


def approve(home, it, *, by="bo", plan=None, override=""):
    return proposals.approve(home, it.id, plan or Plan(), by=by, why="it looks right", now_ms=2, override=override)


def step(home, it, step, share):
    now = proposals.standing(home).proposals[it.id]
    return proposals.moved(
        home,
        now,
        "stepped",
        {"step": step, "share": share, "reason": ("canary-as-good", "fine")},
        by="gateway:0",
        now_ms=3,
    )


def live(home, it):
    approve(home, it)
    assert all(step(home, it, at, share) for at, share in enumerate((0.05, 0.25, 1.0)))


def now(home, it):
    return proposals.standing(home).proposals[it.id]


def test_a_proposal_goes_its_way_to_live(home):
    it = propose(home, gate=PASSED)
    assert (it.state, it.gate, it.share) == ("proposed", "passed", 0)
    assert approve(home, it).state == "approved"
    assert step(home, it, 0, 0.05)
    assert (now(home, it).state, now(home, it).share) == ("rolling", 0.05)
    assert step(home, it, 1, 0.25)
    assert step(home, it, 2, 1.0)
    assert now(home, it).state == "live"
    assert proposals.standing(home).live("ours").id == it.id


def test_the_proposer_may_not_approve_unless_the_rules_allow_it(home):
    it = propose(home)
    for same in ("ana", "ANA", "Ａna"):
        with pytest.raises(ProposalError, match="second person"):
            approve(home, it, by=same)
    proposals.set_rules(home, two_people=False, by="ana", why="I am alone here", now_ms=1)
    assert approve(home, it, by="ana").approved_by == "ana"
    assert "I am alone here" in proposals.log_path(home).read_text()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gate": REFUSED}, "gate refused"),
        ({"gate": b'{"verdict": "no"}'}, "gate refused"),
        ({"evidence": None}, "nothing was shown"),
    ],
)
def test_what_speaks_against_it_has_to_be_overridden_with_a_reason(home, given, words):
    it = propose(home, **given)
    with pytest.raises(ProposalError, match=words):
        approve(home, it)
    assert approve(home, it, override="the suite is wrong").state == "approved"
    assert trail.read(proposals.log_path(home))[-1].data["override"] == "the suite is wrong"


@pytest.mark.parametrize("gate", [b"[]", b"{}", b'{"verdict": true}', b"no json"])
def test_a_gate_that_says_nothing_plain_is_refused_as_input(home, gate):
    with pytest.raises(ProposalError, match="verdict"):
        propose(home, gate=gate)


def test_evidence_is_kept_as_it_was_under_its_hash(home):
    it = propose(home, evidence=b'{"rows":  5}')
    assert proposals.bundle_path(home, it.evidence).read_bytes() == b'{"rows":  5}'
    with pytest.raises(ProposalError, match="not JSON"):
        propose(home, 0.7, evidence=b"{")


def test_evidence_that_was_edited_is_not_shown(home):
    it = propose(home, evidence=b'{"rows": 5}')
    assert proposals.bundle(home, it.evidence) == b'{"rows": 5}'
    proposals.bundle_path(home, it.evidence).write_bytes(b'{"rows": 9}')
    with pytest.raises(ProposalError, match="not as it was kept"):
        proposals.bundle(home, it.evidence)
    proposals.bundle_path(home, it.evidence).unlink()
    with pytest.raises(ProposalError, match="Restore"):
        proposals.bundle(home, it.evidence)


def test_what_is_not_waiting_cannot_be_approved_or_rejected(home):
    it = propose(home)
    proposals.reject(home, it.id, by="bo", why="too risky", now_ms=2)
    for act in (lambda: approve(home, it), lambda: proposals.reject(home, it.id, by="bo", why="again", now_ms=2)):
        with pytest.raises(ProposalError, match="is rejected"):
            act()


def test_one_roll_out_at_a_time_for_a_policy(home):
    first, second = propose(home, 0.8), propose(home, 0.7)
    approve(home, first)
    with pytest.raises(ProposalError, match="has to end first"):
        approve(home, second)


def test_a_proposal_whose_ground_has_moved_must_be_made_again(home):
    first, second = propose(home, 0.8), propose(home, 0.7)
    live(home, first)
    with pytest.raises(ProposalError, match="has moved"):
        approve(home, second)
    again = propose(home, 0.7, against=None)
    assert again.base == first.version


def test_a_proposal_over_a_version_that_was_rolled_back_must_be_made_again(home):
    first = propose(home)
    live(home, first)
    second = propose(home, 0.7, against=None)
    proposals.roll_back(home, first.id, by="bo", why="worse", now_ms=4)
    with pytest.raises(ProposalError, match="moved to the file"):
        approve(home, second)
    assert now(home, second).state == "proposed"


@pytest.mark.parametrize(
    "bundle",
    [{"kind": "tuning", "policy": {"proposed_hash": None}}, {"kind": "tuning", "policy": {"proposed_hash": "ab" * 32}}],
)
def test_evidence_for_another_policy_or_for_none_is_no_evidence(home, bundle):
    with pytest.raises(ProposalError, match="evidence"):
        propose(home, evidence=json.dumps(bundle).encode())
    assert proposals.standing(home).proposals == {}


def test_a_verdict_on_another_policy_is_none_on_this_one(home):
    verdict = {"verdict": "yes", "candidate": {"kind": "policy", "digest": "ab" * 32}}
    with pytest.raises(ProposalError, match="gate"):
        propose(home, gate=json.dumps(verdict).encode())
    verdict["candidate"]["digest"] = versions.keep(home, file(home, 0.8)).hash
    assert propose(home, gate=json.dumps(verdict).encode()).gate == "passed"


def test_rolling_back_returns_to_the_one_before_and_then_to_the_file(home):
    first = propose(home, 0.8)
    live(home, first)
    second = propose(home, 0.7, against=None)
    live(home, second)
    assert now(home, first).state == "superseded"
    proposals.roll_back(home, "ours", by="bo", why="worse", now_ms=9)
    assert proposals.standing(home).live("ours").id == first.id
    assert (now(home, first).state, now(home, second).state) == ("live", "rolled_back")
    proposals.roll_back(home, first.id, by="bo", why="worse too", now_ms=9)
    assert proposals.standing(home).live("ours") is None
    with pytest.raises(ProposalError):
        proposals.roll_back(home, "ours", by="bo", why="nothing left", now_ms=9)


def test_rolling_back_a_policy_takes_what_is_on_its_way_first(home):
    first = propose(home, 0.8)
    live(home, first)
    second = propose(home, 0.7, against=None)
    approve(home, second)
    assert proposals.roll_back(home, "ours", by="bo", why="wait", now_ms=9).id == second.id
    assert proposals.standing(home).live("ours").id == first.id


def test_a_gateway_that_is_late_writes_nothing(home):
    it = propose(home)
    seen = approve(home, it)
    proposals.roll_back(home, it.id, by="bo", why="stop", now_ms=3)
    data = {"step": 0, "share": 0.05, "reason": ("canary-begins", "x")}
    assert not proposals.moved(home, seen, "stepped", data, by="gateway:0", now_ms=4)
    assert now(home, it).state == "rolled_back"


def test_a_person_may_take_a_step_by_hand(home):
    it = propose(home)
    approve(home, it)
    with pytest.raises(ProposalError, match="approved"):
        proposals.step_by_hand(home, it.id, by="ana", why="x", now_ms=3)
    step(home, it, 0, 0.05)
    assert proposals.step_by_hand(home, it.id, by="ana", why="read 50 answers", now_ms=3).share == 0.25


@pytest.mark.parametrize("by", ["", "  ", "a\nb", "x" * 65, "gateway:0", " gateway:0", "ki\u200bm", "kim "])
def test_names_must_be_names(home, by):
    with pytest.raises(ProposalError, match=r"gateway|--by"):
        propose(home, by=by)


def test_the_proposed_and_the_replaced_policy_need_one_name_and_must_differ(home):
    with pytest.raises(ProposalError, match="by its name"):
        proposals.propose(home, file(home, 0.8, "others"), by="ana", now_ms=1, against=file(home, 0.9))
    with pytest.raises(ProposalError, match="exactly as"):
        propose(home, 0.9)
    with pytest.raises(ProposalError, match="--against"):
        propose(home, against=None)


def test_a_wrong_plan_is_not_approved(home):
    with pytest.raises(ProposalError, match="100 %"):
        approve(home, propose(home), plan=Plan(steps=(0.05, 0.5)))


@pytest.mark.parametrize(
    "plan",
    [
        Plan(steps=(0.0, 1.0)),
        Plan(steps=(0.5, 2.0, 1.0)),
        Plan(min_requests=0),
        Plan(step_alpha=1.0),
        Plan(watches=(Watch(signal="quality", alpha=0.005, margin=1.0),)),
        Plan(watches=(Watch(signal="cost", alpha=0.001, allowed=1.0),)),
        Plan(watches=(Watch(signal="cost", alpha=0.001, allowed=float("nan")),)),
    ],
)
def test_a_plan_that_the_log_could_not_read_back_is_not_written(home, plan):
    it = propose(home)
    with pytest.raises(ProposalError, match="plan"):
        approve(home, it, plan=plan)
    assert now(home, it).state == "proposed"


def test_ids_may_be_shortened_while_they_are_plain(home):
    it = propose(home)
    assert proposals.standing(home).one(it.id[:5]).id == it.id
    for wrong in ("", "p-zz"):
        with pytest.raises(ProposalError, match="no proposal begins"):
            proposals.standing(home).one(wrong)


def test_where_everything_stands_is_what_the_log_says_and_nothing_else(home):
    it = propose(home)
    live(home, it)
    before = proposals.standing(home)
    raw = proposals.log_path(home).read_bytes()
    proposals.log_path(home).unlink()
    assert proposals.standing(home).proposals == {}
    proposals.log_path(home).write_bytes(raw)
    assert proposals.standing(home) == before
    assert before.head == json.loads(raw.splitlines()[-1])["hash"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["propose", "approve", "step", "back", "reject"]), max_size=14))
def test_nothing_is_served_that_a_person_did_not_approve(tmp_path_factory, acts):
    home = tmp_path_factory.mktemp("home")
    made = []
    for i, act in enumerate(acts):
        try:
            match act:
                case "propose":
                    lives = proposals.standing(home).live("ours")
                    made.append(propose(home, 0.1 + i / 100, against=None if lives else 0.9))
                case "approve" if made:
                    approve(home, made[-1], plan=Plan(steps=(0.5, 1.0)))
                case "step" if made:
                    at = now(home, made[-1]).step + 1
                    if now(home, made[-1]).state in ("approved", "rolling"):
                        step(home, made[-1], at, (0.5, 1.0)[at])
                case "back":
                    proposals.roll_back(home, "ours", by="bo", why="x", now_ms=5)
                case "reject" if made:
                    proposals.reject(home, made[-1].id, by="bo", why="x", now_ms=5)
        except ProposalError:
            continue
    standing = proposals.standing(home)
    approved = {e.proposal for e in trail.read(proposals.log_path(home)) if e.kind == "approved"}
    for it in standing.proposals.values():
        assert it.id in approved or it.share == 0
        assert (it.share > 0) == (it.state in ("rolling", "live", "superseded"))
    assert sum(it.state == "live" for it in standing.proposals.values()) <= 1
