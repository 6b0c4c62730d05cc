"""A LiteLLM configuration carried over: what comes out loads, nothing is skipped in silence, no secret is repeated."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from evals.migrate.litellm import Given, migrate
from evals.migrate.places import ForeignError, read_tree
from policies.load import load_policy
from router.core.limits import Allowance
from router.registry.keys import KeyStore
from router.serve.settings import load_settings
from stillhouse.cli.check import command as check
from stillhouse.cli.migrate import command

HERE = Path(__file__).parent / "litellm"
CONFIGS = sorted(path.stem for path in HERE.glob("*.yaml"))
NOW = datetime(2026, 11, 24, tzinfo=UTC)
ENV = {"VLLM_BASE": "http://10.0.0.5:8000/v1", "LITELLM_MASTER_KEY": "sk-from-the-environment"}
TOKEN = hashlib.sha256(b"sk-a-key").hexdigest()


def carry(text, *, keys=None, teams=None, env=ENV):
    given = [
        None if v is None else Given(name, v if isinstance(v, str) else json.dumps(v))
        for name, v in (("keys.json", keys), ("teams.json", teams))
    ]
    return migrate(Given("config.yaml", text), keys=given[0], teams=given[1], env=env, now=NOW, keys_file="keys.json")


def of(name):
    return carry((HERE / f"{name}.yaml").read_text())


def tiers(made):
    return {entry["name"]: entry for entry in yaml.safe_load(made.settings)["tiers"]}


def said(made, kind, what):
    """The words about a part; exactly one of that kind."""
    [told] = [each for each in made.tale.of(kind) if each.what == what]
    return told.words


# --- what comes out


@pytest.mark.parametrize("name", CONFIGS)
def test_the_command_writes_what_check_accepts_and_no_secret(name, tmp_path, monkeypatch):
    for variable, value in ENV.items():
        monkeypatch.setenv(variable, value)
    out = tmp_path / "out"
    done = CliRunner().invoke(command, ["litellm", str(HERE / f"{name}.yaml"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert CliRunner().invoke(check, [str(out / "stillhouse.yaml"), str(out / "migrated.yaml")]).exit_code == 0
    settings, policy = load_settings(out / "stillhouse.yaml"), load_policy(out / "migrated.yaml")
    assert {tier.tier for tier in settings.tiers} == set(policy.body.tiers)
    everything = done.output + "".join(path.read_text() for path in out.iterdir() if path.is_file())
    for secret in ("never-to-be-shown", "hunter2", "none-of-your-business", "sk-from-the-environment"):
        assert secret not in everything
    again = CliRunner().invoke(command, ["litellm", str(HERE / f"{name}.yaml"), "--out", str(out)])
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_deployments_of_one_name_share_a_tier_as_they_shared_the_name():
    made = of("balanced")
    found = tiers(made)
    assert (found["gpt-4o"]["share"], found["gpt-4o-2"]["share"]) == (0.666667, 0.333333)
    assert found["gpt-4o"]["context_window"] == 128_000
    assert found["gpt-4o"]["model"] == "azure/gpt-4o-eu"
    assert "callers who say that name meet the first" in said(made, "lost", "balance of gpt-4o")


def test_upstreams_are_told_apart_by_address_and_key():
    upstreams = yaml.safe_load(of("balanced").settings)["upstreams"]
    assert upstreams == {
        "azure": {"kind": "litellm", "base_url": "https://ours.example-azure.com", "api_key": "env:AZURE_EU_KEY"},
        "azure-2": {"kind": "litellm", "base_url": "https://ours.example-azure.com", "api_key": "env:AZURE_US_KEY"},
        "openai": {"kind": "openai", "base_url": "https://api.openai.com/v1", "api_key": "env:OPENAI_API_KEY"},
        "hosted_vllm": {"kind": "openai", "base_url": "http://10.0.0.5:8000/v1"},
    }


def test_prices_a_token_become_prices_a_million():
    made = of("balanced")
    assert tiers(made)["local-llama"] == {
        "tier": "small", "upstream": "hosted_vllm", "model": "meta-llama/Llama-3.1-8B-Instruct", "name": "local-llama",
        "price": {"input": 0.05, "output": 0.1}, "images": False,
    }  # fmt: skip


def test_tiers_are_guessed_by_price_and_said_to_be():
    made = of("balanced")
    assert {name: entry["tier"] for name, entry in tiers(made).items()} == {
        "local-llama": "small", "gpt-4o-mini": "medium", "gpt-4o": "large", "gpt-4o-2": "large",
    }  # fmt: skip
    assert "by its price" in said(made, "guess", "tier of gpt-4o-mini")


def test_tiers_that_a_router_names_are_taken_as_said():
    made = of("routers")
    assert {name: entry["tier"] for name, entry in tiers(made).items()} == {
        "haiku": "small", "sonnet": "medium", "sonnet-large": "large", "opus": "large",
    }  # fmt: skip
    assert not [told for told in made.tale.of("guess") if told.what.startswith("tier of")]
    assert yaml.safe_load(made.policy)["fallbacks"] == {"small": ["medium", "large"], "medium": ["large"]}
    assert "'gone' is not a model" in said(
        made, "lost", "model_list[0].litellm_params.complexity_router_config.tiers.REASONING[1]"
    )


def test_each_provider_is_spoken_to_by_the_adapter_that_can():
    made = of("providers")
    found = tiers(made)
    kinds = {name: place["kind"] for name, place in yaml.safe_load(made.settings)["upstreams"].items()}
    assert kinds == {
        "anthropic": "litellm", "bedrock": "litellm", "vertex_ai": "litellm", "ollama_chat": "litellm", "openai": "openai",
    }  # fmt: skip
    assert found["claude"]["model"] == "anthropic/claude-sonnet-4-5"
    assert found["compat-2"]["model"] == "qwen2.5-72b"
    assert found["small-model"]["tier"] == "small"
    assert "compat" not in found


def test_guardrails_become_guards_where_there_is_one_and_it_always_runs():
    made = of("providers")
    pii = {
        "pii": {
            "entities": ["CREDIT_DEBIT_CARD_NUMBER", "EMAIL"],
            "action": "mask",
            "actions": {"CREDIT_DEBIT_CARD_NUMBER": "block", "EMAIL": "mask"},
        }
    }
    assert yaml.safe_load(made.policy)["guards"] == {"input": [pii, {"secrets": {"action": "mask"}}], "output": [pii]}
    assert "restore: true" in said(made, "lost", "guardrails[0].litellm_params.output_parse_pii")
    assert "no category here" in said(made, "lost", "guardrails[0].litellm_params.pii_entities_config.MEDICAL_LICENSE")
    assert "guards of a policy always run" in said(made, "lost", "guardrails[1]")
    assert "another service" in said(made, "lost", "guardrails[2]")


# --- nothing is skipped


def mappings(value, path=()):
    if isinstance(value, dict):
        yield path
        for key, below in value.items():
            yield from mappings(below, (*path, key))
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from mappings(below, (*path, i))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_setting_that_nobody_knows_is_named_wherever_it_stands(name):
    whole = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    places = [path for path in mappings(whole) if not path or not str(path[0]).startswith("x-")]
    for path in places:
        text = yaml.safe_load((HERE / f"{name}.yaml").read_text())
        node = text
        for part in path:
            node = node[part]
        node["zz-unheard-of"] = 7
        made = carry(yaml.safe_dump(text, sort_keys=False))
        shown = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in (*path, "zz-unheard-of")).lstrip(".")
        assert any(
            shown == told.what or shown.startswith((f"{told.what}.", f"{told.what}[")) for told in made.tale.of("lost")
        ), shown


@pytest.mark.parametrize("name", CONFIGS)
def test_every_line_that_is_told_is_the_line_it_stands_on(name):
    lines = (HERE / f"{name}.yaml").read_text().split("\n")
    for kind in ("carried", "lost"):
        for told in of(name).tale.of(kind):
            last = told.what.split(".")[-1].split("[")[0]
            if "[" not in told.what and " " not in told.what:
                assert last in lines[told.line - 1], told


def test_an_address_in_a_variable_that_is_not_set_is_told_and_not_guessed():
    made = carry((HERE / "balanced.yaml").read_text(), env={})
    assert "local-llama" not in tiers(made)
    assert "VLLM_BASE" in said(made, "lost", "model_list[3].litellm_params.api_base")
    assert "LITELLM_MASTER_KEY" in said(made, "lost", "general_settings.master_key")
    assert not made.keys


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_list: [", "config.yaml:2:1: not YAML"),
        ("- a\n", "holds no settings"),
        ("", "holds no settings"),
        ("model_list: []\n", "no chat model"),
        ("model_list: 7\n", "no chat model"),
        ("a: &a [*a]\n", "not YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(text, words):
    with pytest.raises(ForeignError) as refused:
        carry(text)
    assert words in str(refused.value)


# --- keys


def key(**changes):
    return {
        "token": TOKEN,
        "key_alias": "checkout",
        "models": ["gpt-4o"],
        "spend": 3.5,
        "key_name": "sk-...key",
        **changes,
    }


def keys_for(*entries, teams=None):
    return carry((HERE / "balanced.yaml").read_text(), keys={"keys": list(entries), "total_count": 1}, teams=teams)


def test_a_key_opens_here_what_it_opened_there(tmp_path):
    made = keys_for(key(team_id="t-1", expires="2027-01-01T00:00:00Z", max_budget=50, rpm_limit=100))
    store = KeyStore(tmp_path / "keys.json")
    store.adopt(made.keys)
    found = KeyStore.load(tmp_path / "keys.json").find("sk-a-key")
    assert (found.id, found.tenant, found.models, found.scopes) == (
        "checkout",
        "t-1",
        ("gpt-4o",),
        ("chat", "embeddings"),
    )
    assert found.expires == datetime(2027, 1, 1, tzinfo=UTC)
    master = KeyStore.load(tmp_path / "keys.json").find("sk-from-the-environment")
    assert "admin" in master.scopes
    assert found.limits == Allowance(requests_per_minute=100)
    assert "a budget for good has no counterpart" in said(made, "lost", "keys[0].max_budget")
    assert said(made, "carried", "keys[0].rpm_limit").endswith("requests_per_minute 100")
    with pytest.raises(ValueError, match="in it already"):
        store.adopt(made.keys)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (key(models=["gone"]), "none of the models"),
        (key(models=["all-team-models"], team_id="t-9"), "its team may"),
        (key(models=[], team_id="t-9"), "its team may"),
        (key(token="sk-a-key"), "no SHA-256 hash"),
        (key(expires="tomorrow"), "its expiry"),
        (TOKEN, "return_full_object"),
    ],
    ids=lambda v: str(v)[:30],
)  # fmt: skip
def test_a_key_that_might_open_more_here_is_left_out(entry, words):
    made = keys_for(entry)
    assert [each.id for each in made.keys] == ["litellm-master"]
    assert words in said(made, "lost", "keys[0]")
    assert "sk-a-key" not in made.tale.markdown("", [])


def test_teams_give_their_keys_a_name_and_models():
    limits = {"max_budget": 5, "budget_duration": "30d", "tpm_limit": 9000, "max_parallel_requests": 0}
    teams = [{"team_id": "t-1", "team_alias": "Check out!", "models": ["gpt-4o"], **limits}]
    made = keys_for(key(models=["all-team-models"], team_id="t-1"), teams=teams)
    assert (made.keys[1].tenant, made.keys[1].models) == ("Check-out", ("gpt-4o",))
    assert "usd_per_month 5" in said(made, "carried", "[0].max_budget")
    tenants = yaml.safe_load(made.settings)["limits"]["tenants"]
    assert tenants == {"Check-out": {"tokens_per_minute": 9000, "usd_per_month": 5.0}}


@pytest.mark.parametrize("named", [["gpt-4o", "claude"], ["all-proxy-models"], ["*"], []])
def test_a_key_names_no_model_that_its_team_may_not(named):
    teams = [{"team_id": "t-1", "models": ["gpt-4o"]}]
    assert keys_for(key(models=named, team_id="t-1"), teams=teams).keys[1].models == ("gpt-4o",)
    made = keys_for(key(models=["claude"], team_id="t-1"), teams=teams)
    assert [each.id for each in made.keys] == ["litellm-master"]
    assert "its team t-1" in said(made, "lost", "keys[0]")


def test_the_keys_of_a_blocked_team_stay_blocked():
    teams = [{"team_id": "t-1", "models": [], "blocked": True}]
    made = keys_for(key(team_id="t-1"), teams=teams)
    assert made.keys[1].revoked == NOW
    assert "blocked" not in made.tale.markdown("", []).split("## Not carried over")[1]


def test_a_blocked_key_stays_blocked_and_an_unlimited_one_unlimited():
    other = hashlib.sha256(b"sk-other").hexdigest()
    made = keys_for(key(blocked=True), key(token=other, models=["all-proxy-models"]))
    assert made.keys[1].revoked == NOW
    assert (made.keys[2].models, made.keys[2].id) == ((), f"litellm-{other[:12]}")


@pytest.mark.parametrize("value", ["plain", "\U0001f600", 'a\\ud83d "b" /', "\u00e9\n\t\\", "\u2028"])
def test_json_is_read_as_json_whatever_its_escapes_and_indentation(value):
    for text in (json.dumps({"a": [value]}, indent="\t"), json.dumps({"a": [value]}).replace("/", "\\/")):
        assert read_tree(text, file="f").data() == {"a": [value]}
