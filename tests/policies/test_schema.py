"""What a policy may say, and what each part refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.mistakes import Mistakes
from policies.schema import ByTier, PolicyBody, Quality, Rule
from policies.yaml import load_strict

HEAD = "stillhouse: 1\nname: ours\n"


def load(text):
    return load_strict(HEAD + text, PolicyBody, file="p.yaml")


def wrong(text):
    with pytest.raises(Mistakes) as error:
        load(text)
    return [(m.path, m.message) for m in error.value.mistakes]


def test_the_smallest_policy_has_every_default():
    body = load("")
    assert body.tiers == ("small", "medium", "large")
    assert (body.fallback_tier, body.stream, body.allow_degrade, body.aim) == ("large", "guarded", False, None)


@pytest.mark.parametrize(
    ("tiers", "best"), [("[small]", "small"), ("[small, medium]", "medium"), ("[medium, large]", "large")]
)
def test_the_fallback_tier_is_the_best_one_unless_it_is_said(tiers, best):
    assert load(f"tiers: {tiers}").fallback_tier == best


def test_everything_a_policy_may_say_loads():
    body = load("""
description: all of it
family: llama-3.1
tiers: [small, large]
fallback_tier: small
quality: {floor: 0.7}
rules:
  - {name: a, when: {}, pin: small}
  - name: b
    when:
      tenant: [t]
      tag: [x, y]
      language: [no, ko]
      tools: true
      images: false
      context_tokens_over: 0
      pattern: '(?i)nda'
      findings: [pii, EMAIL, pii.EMAIL]
    forbid: [small]
  - {name: c, when: {tag: [p]}, private: true}
  - {name: d, when: {tag: [q]}, at_least: large}
fallbacks: {large: [small]}
allow_degrade: true
stream: checked
guards:
  input: [{pii: {}}, {secrets: {action: mask}}]
  output: [{words: {words: [foo]}}]
refusal: {input: no, output: nein}
timeouts: {connect: 1, first_byte: 2.5, gap: 3, total: 4}
""")
    assert body.rules[1].when.language == ("no", "ko")
    assert body.timeouts.connect == 1.0
    assert body.fallbacks == {"large": ("small",)}


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("tiers: [large, small]", "tiers", "not in order"),
        ("tiers: [small, small]", "tiers", "names small twice"),
        ("tiers: []", "tiers", "at least 1 item"),
        ("tiers: [small, medium]\nfallback_tier: large", "fallback_tier", "large is not among"),
        ("quality: {keep: 0.9}\ncost_quality: 0.5", "cost_quality", "second aim beside 'quality'"),
        ("cost_quality: 0.5\nbudget: {usd_per_request: 1}", "budget", "second aim beside 'cost_quality'"),
        ("quality: {}", "quality", "neither keep nor lose nor floor"),
        ("quality: {keep: 0.9, floor: 0.8}", "quality", "both keep and floor"),
        ("quality: {keep: 1.2}", "quality.keep", "at most 1"),
        ("cost_quality: -0.1", "cost_quality", "at least 0"),
        ("budget: {usd_per_request: 0}", "budget.usd_per_request", "more than 0"),
        ("rules: [{name: a, when: {}}]", "rules[0]", "no effect"),
        ("rules: [{name: a, when: {}, pin: small, private: true}]", "rules[0].private", "stands beside 'pin'"),
        ("rules: [{name: a, when: {}, private: false}]", "rules[0].private", "expected true"),
        ("rules: [{name: a, when: {}, forbid: [small, medium, large]}]", "rules[0].forbid", "forbids every tier"),
        ("rules: [{name: a, when: {}, forbid: []}]", "rules[0].forbid", "at least 1"),
        ("rules: [{name: a, when: {tag: []}, pin: small}]", "rules[0].when.tag", "at least 1"),
        ("rules: [{name: a, when: {tag: [x, x]}, pin: small}]", "rules[0].when.tag", "names x twice"),
        ("rules: [{name: a, when: {pattern: '['}, pin: small}]", "rules[0].when.pattern", "does not compile"),
        ("rules: [{name: a, when: {}, pin: small}, {name: a, when: {}, pin: large}]", "rules[1].name", "stands above"),
        ("rules: [{when: {}, pin: small}]", "rules[0].name", "required"),
        ("fallbacks: {large: [large]}", "fallbacks.large[0]", "itself"),
        ("tiers: [small]\nfallbacks: {large: [small]}", "fallbacks.large", "not among"),
        ("tiers: [small, large]\nfallbacks: {large: [medium]}", "fallbacks.large[0]", "not among"),
        ("stream: immediate\nguards: {output: [{pii: {action: mask}}]}", "stream", "holds nothing back"),
        ("guards: {input: [{pii: {entities: [NOPE]}}]}", "guards.input[0].pii.entities[0]", "unknown entity"),
        ("guards: {output: [{nope: {}}]}", "guards.output[0].nope", "unknown guard"),
        ("guards: {output: [{}]}", "guards.output[0]", "one key"),
        ("refusal: {input: ''}", "refusal.input", "at least 1 character"),
        ("timeouts: {total: 0}", "timeouts.total", "more than 0"),
        ("family: ''", "family", "at least 1 character"),
    ],
)
def test_each_part_refuses_what_cannot_be_meant(text, path, words):
    ((found_path, message),) = wrong(text)
    assert found_path == path
    assert words in message


@pytest.mark.parametrize("name", ["auto", "small", "medium", "large", "default"])
def test_a_name_that_callers_use_otherwise_is_refused(name):
    with pytest.raises(Mistakes, match="meaning of its own"):
        load_strict(f"stillhouse: 1\nname: {name}\n", PolicyBody, file="p")


@pytest.mark.parametrize("name", ["Ours", "-a", "a b", "", "x" * 65, "가"])
def test_a_name_must_be_usable_everywhere(name):
    with pytest.raises(Mistakes):
        load_strict(f"stillhouse: 1\nname: '{name}'\n", PolicyBody, file="p")


def test_immediate_allows_guards_that_only_look_or_block():
    load("stream: immediate\nguards: {output: [{pii: {action: detect}}, {secrets: {action: block}}]}")
    load("stream: immediate\nguards: {input: [{pii: {action: mask}}]}")


def test_many_mistakes_across_settings_come_together():
    text = "tiers: [small]\nfallback_tier: large\nquality: {keep: 1}\ncost_quality: 1\nfallbacks: {large: [small]}\n"
    assert [path for path, _ in wrong(text)] == ["fallback_tier", "cost_quality", "fallbacks.large"]


def test_a_body_made_in_code_is_checked_alike():
    with pytest.raises(ValidationError, match="has no effect"):
        Rule(name="a", when={})  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="fallback_tier: large is not among"):
        PolicyBody(stillhouse=1, name="x", tiers=("small",), fallback_tier="large")


@pytest.mark.parametrize(
    ("text", "loss", "sure"),
    [
        ("2%, confidence: 95%", 0.02, 0.95),
        ("0.02, confidence: 0.95", 0.02, 0.95),
        ("2.5 %, confidence: 99.9%", 0.025, 0.999),
    ],
)
def test_a_promise_is_read_in_percent_or_as_a_share(text, loss, sure):
    promise = load(f"promise: {{max_quality_loss: {text}}}").promise
    assert (promise.max_quality_loss, promise.confidence) == (loss, sure)
    assert (promise.against, promise.measure, promise.slices) == ("large", "loss", ())


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("promise: {}", "promise.max_quality_loss", "is required"),
        ("promise: {max_quality_loss: 0}", "promise.max_quality_loss", "must be more than 0"),
        ("promise: {max_quality_loss: 80%}", "promise.max_quality_loss", "must be at most 0.5"),
        ("promise: {max_quality_loss: two}", "promise.max_quality_loss", "expected a number"),
        ("promise: {max_quality_loss: -2%}", "promise.max_quality_loss", "expected a number"),
        ("promise: {max_quality_loss: 2%, confidence: 100%}", "promise.confidence", "must be less than 1"),
        ("promise: {max_quality_loss: 2%, measure: gross}", "promise.measure", "expected 'loss' or 'net'"),
        ("promise: {max_quality_loss: 2%, against: best}", "promise.against", "expected 'small', 'medium' or 'large'"),
        ("promise: {max_quality_loss: 2%, slices: [task, task]}", "promise.slices", "names task twice"),
        ("promise: {max_quality_loss: 2%, loss: 1}", "promise.loss", "unknown key"),
        ("quality: {keep: {}}", "quality.keep", "names no tier"),
        ("quality: {keep: {small: 97}}", "quality.keep.small", "must be at most 1"),
        ("quality: {keep: {large: 0.9}}", "quality.keep.large", "unknown key"),
        ("quality: {keep: [0.9]}", "quality.keep", "expected a number"),
        ("quality: {keep: {small: 0.9}, floor: 0.5}", "quality", "both keep and floor"),
        ("quality: {keep: 0.9, lose: 0.1}", "quality", "both keep and lose"),
        ("quality: {lose: {small: 2}}", "quality.lose.small", "must be at most 1"),
    ],
)
def test_a_wrong_promise_or_share_is_refused_with_words(text, path, words):
    assert any(found == path and words in message for found, message in wrong(text)), wrong(text)


def test_a_tier_without_a_share_must_be_the_best():
    quality = load("quality: {keep: {small: 0.9}}").quality
    p = {"small": 0.3, "medium": 0.5, "large": 0.4}
    assert quality.need("small", p) == pytest.approx(0.45)
    assert quality.need("medium", p) == quality.need("large", p) == 0.5


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_tier_will_do_exactly_where_it_loses_little(top, chance, most):
    quality = Quality(lose=ByTier(small=most))
    p = {"small": chance, "medium": chance, "large": top}
    if top * (1 - chance) > most + 1e-9:
        assert chance < quality.need("small", p)
    if top * (1 - chance) < most - 1e-9:
        assert chance >= quality.need("small", p)
    assert quality.need("large", p) == 0.0
