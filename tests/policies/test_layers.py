"""A layer may tighten its floor, never loosen it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.layers import STREAM_ORDER, bottom, complete, tighten
from policies.schema import (
    AIMS,
    TIERS,
    Budget,
    ByTier,
    Capture,
    Cascade,
    Explore,
    PolicyBody,
    Promise,
    Quality,
    Rule,
    Session,
    Timeouts,
    When,
)


def body(name="child", **settings):
    return PolicyBody(stillhouse=1, name=name, **settings)


def problems(floor, child):
    _, found = tighten(bottom(floor), child)
    return [(p.path, p.message) for p in found]


def merged(floor, child):
    layered, found = tighten(bottom(floor), child)
    assert not found
    return layered


def floor(**settings):
    return body("org", **settings)


def rule(name, **effect):
    return Rule(name=name, when=When(), **effect)


@pytest.mark.parametrize(
    ("below", "above", "path", "words"),
    [
        ({"tiers": ("small", "medium")}, {"tiers": ("small", "large")}, ("tiers", 1), "large is not allowed"),
        ({"quality": Quality(keep=0.95)}, {"quality": Quality(keep=0.9)}, ("quality", "keep"), "0.9 is less"),
        ({"quality": Quality(floor=0.7)}, {"quality": Quality(floor=0.6)}, ("quality", "floor"), "0.6 is less"),
        ({"quality": Quality(keep=0.9)}, {"quality": Quality(floor=0.99)}, ("quality", "floor"), "another promise"),
        ({"quality": Quality(keep=0.9)}, {"quality": Quality(keep=ByTier(small=0.95, medium=0.8))},
         ("quality", "keep", "medium"), "0.8 for medium is less"),
        ({"quality": Quality(keep=ByTier(small=0.95, medium=0.9))}, {"quality": Quality(keep=0.92)},
         ("quality", "keep"), "0.92 for small is less"),
        ({"quality": Quality(keep=ByTier(small=0.95))}, {"quality": Quality(keep=ByTier(small=0.95, medium=0.99))},
         ("quality", "keep", "medium"), "keep: {small: 0.95}"),
        ({"quality": Quality(keep=ByTier(small=0.95))}, {"quality": Quality(floor=0.9)}, ("quality", "floor"), "another promise"),
        ({"quality": Quality(lose=0.02)}, {"quality": Quality(lose=0.03)}, ("quality", "lose"), "0.03 is more"),
        ({"quality": Quality(lose=0.02)}, {"quality": Quality(keep=0.99)}, ("quality", "keep"), "another promise"),
        ({"quality": Quality(lose=ByTier(small=0.02))}, {"quality": Quality(lose=ByTier(small=0.01, medium=0.01))},
         ("quality", "lose", "medium"), "0.01 for medium is more"),
        ({"quality": Quality(lose=0.02)}, {"cascade": Cascade(start="small", checks=("logprobs",), keep=0.99)}, ("cascade",), "own measure"),
        ({"promise": Promise(max_quality_loss=0.02)}, {"promise": Promise(max_quality_loss=0.03)},
         ("promise", "max_quality_loss"), "0.03 is more"),
        ({"promise": Promise(max_quality_loss=0.02)}, {"promise": Promise(max_quality_loss=0.02, confidence=0.9)},
         ("promise", "confidence"), "0.9 is less sure"),
        ({"promise": Promise(max_quality_loss=0.02)}, {"promise": Promise(max_quality_loss=0.02, against="medium")},
         ("promise", "against"), "against large"),
        ({"promise": Promise(max_quality_loss=0.02)}, {"promise": Promise(max_quality_loss=0.01, measure="net")},
         ("promise", "measure"), "gains make up"),
        ({"promise": Promise(max_quality_loss=0.02, slices=("task",))}, {"promise": Promise(max_quality_loss=0.02)},
         ("promise", "slices"), "in each task"),
        ({"quality": Quality(keep=0.9)}, {"cost_quality": 1.0}, ("cost_quality",), "another aim"),
        ({"quality": Quality(keep=0.9)}, {"budget": Budget(usd_per_request=1)}, ("budget",), "another aim"),
        ({"budget": Budget(usd_per_request=0.01)}, {"budget": Budget(usd_per_request=0.02)},
         ("budget", "usd_per_request"), "0.02 is more"),
        ({"budget": Budget(usd_per_request=1)}, {"quality": Quality(keep=1)}, ("quality",), "another aim"),
        ({}, {"allow_degrade": True}, ("allow_degrade",), "says false"),
        ({}, {"at_limit": "cheaper"}, ("at_limit",), "refuses at a limit"),
        ({}, {"stream": "immediate"}, ("stream",), "less strict than guarded"),
        ({"stream": "checked"}, {"stream": "guarded"}, ("stream",), "less strict than checked"),
        ({"fallback_tier": "large"}, {"fallback_tier": "small"}, ("fallback_tier",), "below large"),
        ({"tiers": ("medium", "large")}, {"fallback_tier": "small"}, ("fallback_tier",), "small is not allowed"),
        ({"tiers": ("small", "medium")}, {"fallbacks": {"small": ("large",)}}, ("fallbacks", "small", 0), "large is not"),
        ({"family": "gemma-2"}, {"family": "qwen2.5"}, ("family",), "gemma-2"),
        ({"family": "gemma-2"}, {"profile": "1" * 64}, ("profile",), "gemma-2"),
        ({"profile": "2" * 64}, {"profile": "1" * 64}, ("profile",), "2" * 64),
        ({"models": {"small": ("a", "b")}}, {"models": {"small": ("a", "c")}}, ("models", "small", 1), "'c'"),
        ({"tiers": ("medium", "large")}, {"models": {"small": ("a",)}}, ("models", "small"), "small is not allowed"),
        ({"timeouts": Timeouts(total=10)}, {"timeouts": Timeouts(total=11)}, ("timeouts", "total"), "longer"),
        ({"session": Session(affinity="on")}, {"session": Session(affinity="off")}, ("session", "affinity"), "says on"),
        ({"session": Session(errands="off")}, {"session": Session(errands="on")}, ("session", "errands"), "says off"),
        ({"session": Session(hysteresis=0.1)}, {"session": Session(hysteresis=0.05)}, ("session", "hysteresis"), "0.05 is less"),
        ({"rules": (rule("a", pin="large"),)}, {"rules": (rule("a", pin="small"),)}, ("rules", 0, "name"), "stays"),
        ({"quality": Quality(keep=0.9)}, {"explore": Explore()}, ("explore",), "does not explore"),
        ({"explore": Explore(epsilon=0.1)}, {"explore": Explore(epsilon=0.2)}, ("explore", "epsilon"), "0.2 is more"),
        ({"explore": Explore(band=0.1)}, {"explore": Explore(band=0.2)}, ("explore", "band"), "0.2 is more"),
        ({"fallbacks": {"large": ("medium",)}}, {"fallbacks": {"large": ("small",)}}, ("fallbacks", "large", 0), "only"),
        ({}, {"fallbacks": {"large": ("small",)}}, ("fallbacks", "large", 0), "down to small"),
    ],
)  # fmt: skip
def test_every_loosening_is_named_with_the_floor(below, above, path, words):
    ((found, message),) = problems(floor(**below), body(**above))
    assert found == path
    assert words in message
    assert "'org'" in message


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ({}, {}),
        ({"tiers": ("small", "medium")}, {"tiers": ("medium",)}),
        ({"quality": Quality(keep=0.9)}, {"quality": Quality(keep=0.9)}),
        ({"quality": Quality(keep=0.9)}, {"quality": Quality(keep=0.99)}),
        ({"budget": Budget(usd_per_request=1)}, {"budget": Budget(usd_per_request=0.5)}),
        ({"cost_quality": 0.9}, {"cost_quality": 0.1}),
        ({"cost_quality": 0.5}, {"quality": Quality(keep=0.9)}),
        ({}, {"budget": Budget(usd_per_request=1)}),
        ({"allow_degrade": True}, {"allow_degrade": True}),
        ({"at_limit": "cheaper"}, {"at_limit": "refuse"}),
        ({"at_limit": "cheaper"}, {"at_limit": "cheaper"}),
        ({"stream": "guarded"}, {"stream": "checked"}),
        ({"fallback_tier": "small"}, {"fallback_tier": "large"}),
        ({"fallback_tier": "large"}, {"tiers": ("small",), "fallback_tier": "small"}),
        ({"timeouts": Timeouts(total=10)}, {"timeouts": Timeouts(total=9, gap=100)}),
        ({}, {"timeouts": Timeouts(total=900)}),
        ({"session": Session(hysteresis=0.1)}, {"session": Session(hysteresis=0.2, ttl_seconds=9)}),
        ({"session": Session(affinity="off")}, {"session": Session(affinity="on", errands="off")}),
        ({}, {"session": Session(affinity="off", hysteresis=0)}),
        ({"family": "gemma-2"}, {"family": "gemma-2"}),
        ({}, {"fallbacks": {"small": ("medium", "large")}}),
        ({"allow_degrade": True}, {"fallbacks": {"large": ("small",)}}),
        ({"fallbacks": {"large": ("small", "medium")}}, {"fallbacks": {"large": ("small",)}}),
        ({"cost_quality": 0.5}, {"explore": Explore()}),
        ({"quality": Quality(keep=0.9), "explore": Explore(epsilon=0.1)}, {"explore": Explore(epsilon=0.05)}),
    ],
)
def test_tightening_and_repeating_are_allowed(below, above):
    assert problems(floor(**below), body(**above)) == []


def test_what_the_child_leaves_unsaid_is_the_floor_s():
    below = floor(tiers=("small", "medium"), quality=Quality(keep=0.9), stream="checked", family="gemma-2",
                  timeouts=Timeouts(total=10), fallbacks={"small": ("medium",)})  # fmt: skip
    result = merged(below, body()).body
    assert (result.name, result.tiers, result.quality) == ("child", ("small", "medium"), Quality(keep=0.9))
    assert (result.stream, result.family, result.fallback_tier) == ("checked", "gemma-2", "medium")
    assert (result.timeouts.total, result.timeouts.gap) == (10, 60)
    assert result.fallbacks == {"small": ("medium",)}


def test_rules_and_guards_of_the_floor_come_first():
    below = floor(rules=(rule("a", pin="large"),), guards={"input": ({"pii": {}},), "output": ({"secrets": {}},)})
    above = body(rules=(rule("b", private=True),), guards={"input": ({"secrets": {}},), "output": ()})
    result = merged(below, above).body
    assert [r.name for r in result.rules] == ["a", "b"]
    assert [next(iter(guard)) for guard in result.guards.input] == ["pii", "secrets"]
    assert [next(iter(guard)) for guard in result.guards.output] == ["secrets"]


def test_the_origin_names_the_layer_that_decided():
    below = floor(cost_quality=0.5, stream="checked", timeouts=Timeouts(total=10))
    origin = merged(below, body(quality=Quality(keep=0.9), timeouts=Timeouts(gap=1))).origin
    assert origin["stream"] == "org"
    assert (origin["quality"], origin["aim"]) == ("child", "child")
    assert "cost_quality" not in origin
    assert (origin["timeouts.total"], origin["timeouts.gap"]) == ("org", "child")
    assert "tiers" not in origin


def test_fallbacks_to_tiers_that_are_gone_go_with_them():
    result = merged(
        floor(fallbacks={"large": ("medium", "small"), "small": ("large",)}), body(tiers=("small", "large"))
    )
    assert result.body.fallbacks == {"large": ("small",), "small": ("large",)}


def test_the_fallback_tier_moves_up_when_its_own_is_gone():
    assert merged(floor(fallback_tier="small"), body(tiers=("medium", "large"))).body.fallback_tier == "medium"
    assert merged(floor(fallback_tier="large"), body(tiers=("small", "medium"))).body.fallback_tier == "medium"


def test_without_an_aim_the_usual_promise_is_made():
    assert complete(bottom(body())).quality == Quality(keep=0.95)
    assert complete(bottom(body(cost_quality=0.5))).quality is None


def test_three_layers_hold_to_the_lowest():
    middle = merged(floor(quality=Quality(keep=0.9)), body("team", quality=Quality(keep=0.95)))
    _, found = tighten(middle, body(quality=Quality(keep=0.92)))
    assert [p.path for p in found] == [("quality", "keep")]


# --- whatever is laid over whatever ---------------------------------------------------------------------

share = st.sampled_from([0.0, 0.5, 0.9, 0.95, 1.0])
aims = st.one_of(
    st.just({}),
    st.builds(lambda v: {"cost_quality": v}, share),
    st.builds(lambda v: {"quality": Quality(keep=v)}, share),
    st.builds(lambda v: {"quality": Quality(floor=v)}, share),
    st.builds(lambda v: {"budget": Budget(usd_per_request=v)}, st.sampled_from([0.01, 0.1, 1.0])),
)


@st.composite
def bodies(draw, name, first_rule):
    tiers = tuple(t for t in TIERS if draw(st.booleans())) or TIERS
    settings = dict(draw(aims))
    if draw(st.booleans()):
        settings["tiers"] = tiers
    allowed = settings.get("tiers", TIERS)
    for key, values in (
        ("stream", st.sampled_from(STREAM_ORDER)),
        ("allow_degrade", st.booleans()),
        ("fallback_tier", st.sampled_from(allowed)),
        ("family", st.sampled_from(["generic", "gemma-2"])),
        (
            "session",
            st.builds(Session, affinity=st.sampled_from(["on", "off"]), hysteresis=st.sampled_from([0.0, 0.1])),
        ),
        ("timeouts", st.builds(Timeouts, total=st.sampled_from([1.0, 60.0, 600.0, 900.0]))),
    ):
        if draw(st.booleans()):
            settings[key] = draw(values)
    effects = st.sampled_from([{"pin": "small"}, {"at_least": "large"}, {"forbid": ("small",)}, {"private": True}])
    settings["rules"] = tuple(rule(f"{first_rule}{i}", **e) for i, e in enumerate(draw(st.lists(effects, max_size=2))))
    guards = st.sampled_from([{"pii": {"action": "detect"}}, {"pii": {"action": "block"}}, {"secrets": {}}])
    settings["guards"] = {"input": tuple(draw(st.lists(guards, max_size=2))), "output": ()}
    return body(name, **settings)


@given(bodies("org", "f"), bodies("child", "c"))
def test_a_merge_without_problems_is_at_least_as_strict_as_its_floor(below, above):
    layered, found = tighten(bottom(below), above)
    if found:
        return
    result = layered.body
    assert set(result.tiers) <= set(below.tiers)
    assert result.fallback_tier in result.tiers
    assert below.allow_degrade or not result.allow_degrade
    assert STREAM_ORDER.index(result.stream) >= STREAM_ORDER.index(below.stream)
    assert result.rules[: len(below.rules)] == below.rules
    assert result.guards.input[: len(below.guards.input)] == below.guards.input
    assert sum(getattr(result, aim) is not None for aim in AIMS) <= 1
    if below.budget is not None:
        assert result.budget.usd_per_request <= below.budget.usd_per_request
    if below.quality is not None:
        for kind in ("keep", "floor"):
            least = getattr(below.quality, kind)
            assert least is None or getattr(result.quality, kind) >= least
    if "timeouts" in below.model_fields_set:
        assert result.timeouts.total <= below.timeouts.total
    if "session" in below.model_fields_set:
        assert result.session.hysteresis >= below.session.hysteresis
        assert "on" not in below.session.affinity or result.session.affinity == "on"
    # What came out is a policy in its own right.
    PolicyBody.model_validate_json(result.model_dump_json())


@given(bodies("org", "f"), bodies("child", "c"))
def test_laying_the_same_settings_over_the_merge_changes_nothing(below, above):
    layered, found = tighten(bottom(below), above)
    if found:
        return
    again = above.model_copy(update={"name": "again", "rules": (), "guards": body().guards})
    twice, problems_ = tighten(layered, again)
    assert problems_ == ()
    assert twice.body.model_copy(update={"name": "child"}) == layered.body


@given(bodies("org", "f"))
def test_an_empty_layer_changes_nothing_but_the_name(below):
    layered, found = tighten(bottom(below), body())
    assert found == ()
    assert complete(layered).model_copy(update={"name": "org"}) == complete(bottom(below))


# --- cascades


def cascade(**settings):
    return Cascade(**{"start": "small", "checks": ("likelihood", "refusal"), "accept": 0.8} | settings)


@pytest.mark.parametrize(
    ("below", "above", "path", "words"),
    [
        ({"cascade": cascade()}, cascade(accept=0.7), ("cascade", "accept"), "accept: 0.8"),
        ({"cascade": cascade()}, cascade(accept=None, keep=1.0), ("cascade",), "accept: 0.8"),
        ({"cascade": cascade()}, cascade(checks=("likelihood",)), ("cascade", "checks"), "refusal"),
        ({"cascade": cascade(start="medium")}, cascade(), ("cascade", "start"), "below medium"),
        ({"cascade": cascade()}, cascade(max_escalations=1), ("cascade", "max_escalations"), "2 escalations"),
        ({"cascade": cascade()}, cascade(deadline=90.0), ("cascade", "deadline"), "longer"),
        ({"cascade": cascade(checks=("agreement",), samples=4)}, cascade(checks=("agreement",), samples=3),
         ("cascade", "samples"), "4 samples"),
        ({"quality": Quality(keep=0.9)}, cascade(), ("cascade",), "same promise"),
        ({"quality": Quality(keep=0.9)}, cascade(accept=None, keep=0.8), ("cascade", "keep"), "same promise"),
        ({"quality": Quality(floor=0.9)}, cascade(accept=0.8), ("cascade", "accept"), "same promise"),
        ({"budget": Budget(usd_per_request=1)}, cascade(), ("cascade",), "add up"),
    ],
    ids=str,
)  # fmt: skip
def test_a_cascade_may_only_ask_more_than_the_floor(below, above, path, words):
    ((found, message),) = problems(floor(**below), body(cascade=above))
    assert found == path
    assert words in message


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ({}, cascade()),
        ({"cost_quality": 0.5}, cascade()),
        ({"quality": Quality(keep=0.9)}, cascade(accept=None, keep=0.9)),
        ({"quality": Quality(floor=0.7)}, cascade()),
        ({"quality": Quality(floor=0.7)}, cascade(accept=None)),
        ({"cascade": cascade()}, cascade(accept=0.9, checks=("shape", "refusal", "likelihood"), deadline=10.0)),
    ],
    ids=str,
)
def test_a_cascade_that_asks_as_much_is_laid_over_the_floor(below, above):
    layered = merged(floor(**below), body(cascade=above))
    assert layered.body.cascade == above
    assert layered.origin["cascade"] == "child"


def test_a_layer_that_says_nothing_keeps_the_floor_s_cascade():
    layered = merged(floor(cascade=cascade()), body())
    assert layered.body.cascade == cascade()
    assert layered.origin["cascade"] == "org"


def test_a_share_for_each_tier_may_stand_over_one_for_all_and_the_other_way_round():
    one, each = Quality(keep=0.9), Quality(keep=ByTier(small=0.95, medium=0.9))
    assert merged(floor(quality=one), body(quality=each)).body.quality == each
    assert merged(floor(quality=each), body(quality=Quality(keep=0.95))).body.quality == Quality(keep=0.95)


def test_a_promise_is_inherited_and_may_be_tightened():
    theirs = Promise(max_quality_loss=0.05, confidence=0.9, measure="net")
    mine = Promise(max_quality_loss=0.02, confidence=0.95, measure="loss", slices=("task",))
    assert merged(floor(promise=theirs), body()).body.promise == theirs
    assert merged(floor(promise=theirs), body(promise=mine)).body.promise == mine


def test_a_cascade_over_shares_by_tier_must_keep_the_strictest():
    below = floor(quality=Quality(keep=ByTier(small=0.9, medium=0.97)))
    ((path, words),) = problems(below, body(cascade=Cascade(start="small", checks=("logprobs",), keep=0.95)))
    assert path == ("cascade", "keep")
    assert "0.97" in words or "only by the same promise" in words
    assert not problems(below, body(cascade=Cascade(start="small", checks=("logprobs",), keep=0.97)))


KEPT = Capture(tenants=("a", "b"), share=0.5, keep_days=30)


@pytest.mark.parametrize(
    ("below", "above", "path", "words"),
    [
        (None, Capture(tenants=("a",)), ("capture",), "captures nothing"),
        (KEPT, Capture(tenants=("b", "c"), share=0.1), ("capture", "tenants", 1), "captures nothing of 'c'"),
        (KEPT, Capture(tenants=("a",), share=0.6), ("capture", "share"), "0.6 is more than"),
        (KEPT, Capture(tenants=("a",), keep_days=31), ("capture", "keep_days"), "31 days is more than"),
    ],
)
def test_a_layer_never_captures_more_than_its_floor(below, above, path, words):
    ((found, said),) = problems(floor(capture=below), body(capture=above))
    assert found == path
    assert words in said


def test_a_layer_may_capture_less_and_nothing_at_all():
    less = Capture(tenants=("b",), share=0.25, keep_days=7)
    assert merged(floor(capture=KEPT), body(capture=less)).body.capture == less
    assert merged(floor(capture=KEPT), body()).body.capture == KEPT
    assert merged(floor(capture=KEPT), body(capture=None)).body.capture is None


def test_models_of_a_floor_stay_and_may_become_fewer():
    below = floor(models={"small": ("a", "b"), "large": ("l",)})
    assert merged(below, body()).body.models == {"small": ("a", "b"), "large": ("l",)}
    assert merged(below, body(models={"small": ("b",)})).body.models == {"small": ("b",), "large": ("l",)}
    assert merged(below, body(models={"medium": ("m",)})).body.models["medium"] == ("m",)
    assert merged(below, body(tiers=("large",))).body.models == {"large": ("l",)}
    assert merged(floor(), body(profile="1" * 64)).body.profile == "1" * 64
