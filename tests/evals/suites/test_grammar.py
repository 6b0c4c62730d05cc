"""The grammar of a suite: every mistake at once, each where it stands."""

import pytest

from evals.suites.grammar import Suite, targets_of
from evals.suites.read import load
from policies.mistakes import Mistakes

GOOD = """\
suite: ours
about: A suite of a test.
data: {file: rows.jsonl}
targets:
  - {name: cheap, tier: small}
  - {name: ours, gateway: {policy: balanced}}
scorers: [exact, {similarity: {by: letters}, weight: 0.5}]
slices: [language]
assert:
  - quality >= 0.8
  - {that: no worse than cheap by > 30%, of: [ours], each: language}
"""


@pytest.fixture
def load_text(tmp_path):
    def read(text):
        path = tmp_path / "ours.yaml"
        path.write_text(text, "utf-8")
        return load(path)

    return read


def test_a_suite_reads(load_text):
    suite = load_text(GOOD)
    assert isinstance(suite, Suite)
    assert [target.kind for target in suite.targets] == ["tier", "gateway"]
    assert [scorer.title for scorer in suite.scorers] == ["exact", "similarity"]
    assert suite.asserts[0].claim.kind == "quality"
    assert (suite.repeat, suite.parallel, suite.budget) == (1, 4, None)


def test_a_comparison_is_never_about_the_target_it_compares_with(load_text):
    suite = load_text(GOOD.replace(", of: [ours]", ""))
    assert targets_of(suite.asserts[0], suite) == ("cheap", "ours")
    assert targets_of(suite.asserts[1], suite) == ("ours",)


def test_all_mistakes_come_at_once_with_their_places(load_text):
    bad = (
        GOOD.replace("{file:", "{fil:")
        .replace("tier: small", "tier: smal, model: x")
        .replace("[exact,", "[exat,")
        .replace("quality >= 0.8", "quality >= 8")
    )
    with pytest.raises(Mistakes) as caught:
        load_text(bad)
    told = {(m.line, m.path): f"{m.message} {m.hint}" for m in caught.value.mistakes}
    assert "did you mean 'file'" in told[3, "data.fil"]
    assert "did you mean 'small'" in told[5, "targets[0].tier"]
    assert "did you mean 'exact'" in told[7, "scorers[0]"]
    assert "a share runs from 0 to 1" in told[10, "assert[0]"]


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ("tier: small", "tier: small, model: x", "targets[0].model", "stands beside 'tier'"),
        ("tier: small", "config: a.yaml", "targets[0]", "names nobody to ask"),
        ("name: ours", "name: cheap", "targets[1].name", "stands above already"),
        ("slices: [language]", "slices: []", "assert[1]", "'language' is not among the slices"),
        ("of: [ours]", "of: [others]", "assert[1].of", "no target 'others'"),
        ("of: [ours]", "of: [cheap]", "assert[1].that", "compares 'cheap' with itself"),
        ("quality >= 0.8", "numeric >= 0.8", "assert[0].that", "nothing is measured"),
        ("{file: rows.jsonl}", "{file: a.csv, importer: probes}", "data", "either file or importer"),
        ("{file: rows.jsonl}", "{importer: prubes}", "data.importer", "there is no importer"),
        ("{file: rows.jsonl}", "{importer: own-facts, path: x}", "data.path", "ships with the project"),
        (
            "policy: balanced",
            "policy: balanced, base_url: 'http://127.0.0.1/v1'",
            "targets[1].gateway.policy",
            "its own",
        ),
        ("policy: balanced", "api_key: env:KEY", "targets[1].gateway.api_key", "takes no key"),
        ("[exact,", "[{exact: {}, choice: {}},", "scorers[0].choice", "one scorer an item"),
        ("[exact,", "[{judge: {by: nobody}},", "scorers[0].judge.by", "who could judge"),
        ("[exact,", "[regex,", "scorers[0]", "needs settings"),
        ("[exact,", "[{regex: {pattern: '('}},", "scorers[0].regex.pattern", "does not compile"),
        ("[exact,", "[{json_schema: {schema: {a: 1}}},", "scorers[0].json_schema.schema", "not checked here"),
        ("[exact,", "[recorded,", "scorers[0]", "of kind outcomes"),
        ("slices:", "params: {model: x}\nslices:", "params.model", "the runner writes this itself"),
        ("slices:", "budget: {usd: 0}\nslices:", "budget.usd", "more than 0"),
    ],
)
def test_what_does_not_fit_together_is_refused(load_text, old, new, path, words):
    assert old in GOOD
    with pytest.raises(Mistakes) as caught:
        load_text(GOOD.replace(old, new))
    assert (caught.value.mistakes[0].path, True) == (path, words in f"{caught.value}"), str(caught.value)


def test_a_scorer_that_reads_answers_needs_somebody_who_answers(load_text):
    with pytest.raises(Mistakes, match="exact reads an answer, and no target gives one"):
        load_text("suite: a\nabout: b\ndata: {file: a.csv}\ntargets: [{name: p, policy: balanced}]\nscorers: [exact]\n")


def test_a_verdict_needs_somebody_who_guards(load_text):
    with pytest.raises(Mistakes, match="verdict needs a target of kind guards, policy or gateway"):
        load_text("suite: a\nabout: b\ndata: {file: a.csv}\ntargets: [{name: s, tier: small}]\nscorers: [verdict]\n")
