"""Every preset loads without a warning and keeps its own probes."""

from pathlib import Path

import pytest

from guardrails import Action
from guardrails.catalog import names
from guardrails.common import USUAL_ROLE
from policies.load import PRESETS, load_policy, preset_names
from policies.probes import Probe, load_probes
from router.core.decide import Caller, Fleet, decide
from router.core.features import features_of
from router.registry.references import reference_prices
from router.types import TIER_NAMES, Deployment, Score
from stillhouse.cli.offline import request_of

CASES = [
    pytest.param(folder, probe, id=f"{folder.name}-{probe.id}")
    for folder in sorted(PRESETS.iterdir())
    if folder.is_dir()
    for probe in load_probes(folder / "probes.yaml").probes
]
FLEET = tuple(
    Deployment(name=f"{tier}-{where}", tier=tier, model="m", upstream="u", private=where == "private")
    for tier in TIER_NAMES
    for where in ("private", "public")
)


def test_the_promised_presets_ship():
    assert {"balanced", "private", "korean"} <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
class TestEachPreset:
    def test_loads_under_its_folder_s_name_without_a_warning(self, name):
        policy = load_policy(name)
        assert policy.name == name
        assert policy.warnings == ()
        assert policy.body.description

    def test_has_probes_that_name_its_policy_and_a_readme(self, name):
        probes = load_probes(PRESETS / name / "probes.yaml")
        assert (PRESETS / name / probes.policy).samefile(PRESETS / name / "policy.yaml")
        readme = (PRESETS / name / "README.md").read_text("utf-8")
        for heading in ("## For whom", "## What it does", "## What it does not do", "## Make it yours"):
            assert heading in readme

    @pytest.mark.parametrize(("file", "schema"), [("policy", "schema"), ("probes", "probes.schema")])
    def test_names_its_schema_for_editors(self, name, file, schema):
        first = (PRESETS / name / f"{file}.yaml").read_text("utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema=../../{schema}.json"
        assert (PRESETS / name / f"../../{schema}.json").resolve().exists()

    def test_has_korean_among_its_probes(self, name):
        labels = {label for probe in load_probes(PRESETS / name / "probes.yaml").probes for label in probe.about}
        assert "ko" in labels


@pytest.mark.parametrize(("folder", "probe"), CASES)
def test_a_probe_is_kept(folder: Path, probe: Probe):
    policy = load_policy(folder / "policy.yaml")
    if probe.guard is not None:
        _check_guard(policy, probe.guard)
    else:
        _check_decision(policy, probe)


def _check_guard(policy, case):
    verdict = policy.rails[case.direction].check(case.text, role=case.role or USUAL_ROLE[case.direction])
    found = {finding.category for finding in verdict.findings}
    assert verdict.action == Action[case.action.upper()], found
    assert set(case.categories) <= found
    if case.becomes is not None:
        assert verdict.text == case.becomes


def _check_decision(policy, probe):
    given, expect = probe.request, probe.expect
    messages = None if given.messages is None else list(given.messages)
    prompt = None if given.prompt is None else given.prompt * given.repeat
    request = request_of(prompt, messages, None if given.tools is None else list(given.tools))
    seen = [f for site in request.texts for f in policy.rails["input"].check(site.text, role=site.role).findings]
    features = features_of(request, request.ask(), names((f.guard, f.category, f.confidence) for f in seen))
    score = probe.score and Score(
        p_right=probe.score.right,
        output_tokens=dict.fromkeys(TIER_NAMES, 200.0) | dict(probe.score.tokens),
        complexity=1 - min(probe.score.right.values()),
        novelty=probe.score.novelty,
        artefact="given",
        family=policy.body.family,
    )
    caller = Caller(tenant=given.tenant, tags=given.tags, tier=given.tier, text=request.ask())
    decision = decide(policy, features, score, caller, Fleet(FLEET, reference_prices(policy.body.family)))
    rank = TIER_NAMES.index
    assert expect.tier in {None, decision.wanted}
    assert expect.at_least is None or rank(decision.wanted) >= rank(expect.at_least)
    assert expect.at_most is None or rank(decision.wanted) <= rank(expect.at_most)
    assert expect.private in {None, decision.private}
    assert expect.reason is None or expect.reason in {reason.id for reason in decision.reasons}
