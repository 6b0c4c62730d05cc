"""Every format: a key of that form is found, in code and in prose; ordinary code is left alone.

The keys are made here, piece by piece, so that no scanner takes this file for a leak.
"""

import random
import string
import sysconfig
from pathlib import Path

import pytest

from guardrails import Action, GuardConfigErrors, compile_rails
from guardrails.secrets import NAMES
from guardrails.secrets.formats import FORMATS

RAILS = compile_rails([{"secrets": None}])
ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + "234567"


def body(size: int, letters: str = ALNUM, seed: int = 7) -> str:
    """Characters that look random and are the same every time."""
    return "".join(random.Random(seed).choices(letters, k=size))


LOWER = string.ascii_lowercase + string.digits
UUID = "-".join(body(size, HEX, seed=size * 3 + at) for at, size in enumerate((8, 4, 4, 4, 12)))

KEYS = {
    "OPENAI_API_KEY": [
        "sk-proj-" + body(120),
        "sk-" + body(48),
        "sk-" + body(20) + "T3BlbkFJ" + body(20),
        "sk-svcacct-" + body(74),
    ],
    "ANTHROPIC_API_KEY": ["sk-ant-" + "api03-" + body(93) + "AA", "sk-ant-" + "oat01-" + body(86)],
    "GOOGLE_API_KEY": ["AIza" + "Sy" + body(33), "AQ." + "Ab8" + body(48)],
    "HUGGINGFACE_TOKEN": ["hf_" + body(34)],
    "GROQ_API_KEY": ["gsk_" + body(52)],
    "XAI_API_KEY": ["xai-" + body(80)],
    "PERPLEXITY_API_KEY": ["pplx-" + body(48)],
    "REPLICATE_API_TOKEN": ["r8_" + body(37)],
    "OPENROUTER_API_KEY": ["sk-or-v1-" + body(64, HEX)],
    "FIREWORKS_API_KEY": ["fw_" + body(22)],
    "NVIDIA_API_KEY": ["nvapi-" + body(64)],
    "LANGSMITH_API_KEY": ["lsv2_pt_" + body(32, HEX) + "_" + body(10, HEX)],
    "PINECONE_API_KEY": ["pcsk_" + body(6) + "_" + body(60)],
    "TAVILY_API_KEY": ["tvly-dev-" + body(32)],
    "DEEPSEEK_API_KEY": ["sk-" + body(32, HEX)],
    "AWS_ACCESS_KEY": ["AKIA" + body(16, UPPER), "ASIA" + body(16, UPPER)],
    "AWS_BEDROCK_API_KEY": ["ABSK" + body(128)],
    "GOOGLE_OAUTH_SECRET": ["GOCSPX-" + body(28)],
    "GOOGLE_OAUTH_TOKEN": ["ya29." + body(60), "1//0" + body(100)],
    "DIGITALOCEAN_TOKEN": ["dop_v1_" + body(64, HEX)],
    "ALIBABA_ACCESS_KEY": ["LTAI" + body(20)],
    "TENCENT_SECRET_ID": ["AKID" + body(32)],
    "FLY_API_TOKEN": ["fm2_" + body(100)],
    "VERCEL_TOKEN": ["vcp_" + body(56)],
    "NETLIFY_TOKEN": ["nfp_" + body(36)],
    "HEROKU_API_KEY": ["HRKU-" + body(60)],
    "SUPABASE_TOKEN": ["sbp_" + body(40, HEX)],
    "PLANETSCALE_TOKEN": ["pscale_tkn_" + body(43)],
    "DATABRICKS_TOKEN": ["dapi" + body(32, HEX)],
    "HASHICORP_VAULT_TOKEN": ["hvs." + body(90)],
    "TERRAFORM_CLOUD_TOKEN": [body(14) + ".atlasv1." + body(64)],
    "DOPPLER_TOKEN": ["dp.pt." + body(43)],
    "PULUMI_TOKEN": ["pul-" + body(40, HEX)],
    "GITHUB_TOKEN": [
        "ghp_" + body(36),
        "gho_" + body(36),
        "ghs_" + body(36),
        "ghs_" + "1234567_" + "eyJ" + body(60) + ".eyJ" + body(240) + "." + body(86),
        "github_pat_" + body(22) + "_" + body(59),
    ],
    "GITLAB_TOKEN": ["glpat-" + body(20), "glpat-" + body(27) + ".01." + body(9, HEX)],
    "BITBUCKET_TOKEN": ["ATBB" + body(32)],
    "ATLASSIAN_API_TOKEN": ["ATATT3" + body(186)],
    "NPM_TOKEN": ["npm_" + body(36)],
    "PYPI_TOKEN": ["pypi-" + "AgEIcHlwaS5vcmc" + body(150)],
    "RUBYGEMS_API_KEY": ["rubygems_" + body(48, HEX)],
    "CRATES_IO_TOKEN": ["cio" + body(32)],
    "DOCKER_TOKEN": ["dckr_pat_" + body(27)],
    "JFROG_TOKEN": ["AKCp" + body(69)],
    "SONARQUBE_TOKEN": ["squ_" + body(40, HEX)],
    "CIRCLECI_TOKEN": ["CCIPAT_" + body(22) + "_" + body(40, HEX)],
    "FIGMA_TOKEN": ["figd_" + body(40)],
    "LINEAR_API_KEY": ["lin_api_" + body(40)],
    "NOTION_TOKEN": ["ntn_" + body(11, string.digits) + body(35)],
    "POSTMAN_API_KEY": ["PMAK-" + body(24, HEX) + "-" + body(34, HEX)],
    "CEREBRAS_API_KEY": ["csk-" + body(48, LOWER)],
    "TOGETHER_API_KEY": ["tgp_v1_" + body(43)],
    "LANGFUSE_SECRET_KEY": ["sk-lf-" + UUID],
    "JINA_API_KEY": ["jina_" + body(32, HEX) + body(28)],
    "FIRECRAWL_API_KEY": ["fc-" + body(32, HEX)],
    "RUNPOD_API_KEY": ["rpa_" + body(46)],
    "E2B_API_KEY": ["e2b_" + body(40, HEX)],
    "ELEVENLABS_API_KEY": ["sk_" + body(48, HEX)],
    "UPSTAGE_API_KEY": ["up_" + body(28)],
    "NAVER_CLOUD_KEY": ["ncp_iam_" + "BPASKR" + body(14), "ncp_iam_" + "BPKMKR" + body(28)],
    "TAILSCALE_KEY": ["tskey-auth-" + body(17) + "-" + body(32)],
    "NEON_API_KEY": ["napi_" + body(64, LOWER)],
    "RENDER_API_KEY": ["rnd_" + body(28)],
    "OPENSHIFT_TOKEN": ["sha256~" + body(43)],
    "ONEPASSWORD_TOKEN": ["ops_" + "eyJ" + body(700)],
    "MAPBOX_SECRET_TOKEN": ["sk." + "eyJ" + body(60) + "." + body(22)],
    "PREFECT_API_KEY": ["pnu_" + body(36)],
    "CONTENTFUL_TOKEN": ["CFPAT-" + body(43)],
    "NUGET_API_KEY": ["oy2" + body(43, LOWER)],
    "CLOJARS_TOKEN": ["CLOJARS_" + body(60, HEX)],
    "SOURCEGRAPH_TOKEN": ["sgp_" + body(16, HEX) + "_" + body(40, HEX)],
    "BUILDKITE_TOKEN": ["bkua_" + body(40, HEX)],
    "README_API_KEY": ["rdme_" + body(70, LOWER)],
    "PLAID_TOKEN": ["access-production-" + UUID],
    "EASYPOST_KEY": ["EZAK" + body(54)],
    "DUFFEL_TOKEN": ["duffel_live_" + body(43)],
    "SHIPPO_TOKEN": ["shippo_live_" + body(40, HEX)],
    "FLUTTERWAVE_KEY": ["FLWSECK-" + body(32, HEX) + "-X"],
    "TYPEFORM_TOKEN": ["tfp_" + body(44)],
    "FACEBOOK_TOKEN": ["EAA" + "Bs" + body(180)],
    "DROPBOX_TOKEN": ["sl.u." + body(900)],
    "LAUNCHDARKLY_KEY": ["sdk-" + UUID],
    "AIRTABLE_TOKEN": ["pat" + body(14) + "." + body(64, HEX)],
    "SLACK_TOKEN": [
        "xoxb-" + body(12, string.digits) + "-" + body(13, string.digits) + "-" + body(24),
        "xapp-1-" + body(11, UPPER) + "-" + body(13, string.digits) + "-" + body(64, HEX),
    ],
    "STRIPE_KEY": ["sk_live_" + body(24), "rk_test_" + body(99)],
    "STRIPE_WEBHOOK_SECRET": ["whsec_" + body(32)],
    "SQUARE_TOKEN": ["sq0atp-" + body(22), "EAAA" + body(60)],
    "BRAINTREE_TOKEN": ["access_token$production$" + body(16, HEX) + "$" + body(32, HEX)],
    "SHOPIFY_TOKEN": ["shpat_" + body(32, HEX)],
    "TWILIO_API_KEY": ["SK" + body(32, HEX)],
    "TWILIO_ACCOUNT_SID": ["AC" + body(32, HEX)],
    "SENDGRID_API_KEY": ["SG." + body(22) + "." + body(43)],
    "MAILGUN_API_KEY": ["key-" + body(32, HEX)],
    "BREVO_API_KEY": ["xkeysib-" + body(64, HEX) + "-" + body(16)],
    "RESEND_API_KEY": ["re_" + body(8) + "_" + body(24)],
    "POSTHOG_KEY": ["phx_" + body(43)],
    "NEW_RELIC_KEY": ["NRAK-" + body(27)],
    "GRAFANA_TOKEN": ["glsa_" + body(32) + "_" + body(8, HEX), "glc_" + body(120)],
    "SENTRY_TOKEN": ["sntrys_" + body(120)],
    "DYNATRACE_TOKEN": ["dt0c01." + body(24, UPPER) + "." + body(64, UPPER)],
    "AGE_SECRET_KEY": ["AGE-SECRET-KEY-1" + body(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L")],
    "TOSS_PAYMENTS_KEY": ["live_sk_" + body(35), "test_gsk_" + body(35)],
    "JWT": [
        "eyJ" + body(33) + ".eyJ" + body(80) + "." + body(43),
    ],
    "CONNECTION_STRING": [
        "postgres://app:" + body(12) + "@db.example.com:5432/main",
        "mongodb+srv://root:" + body(16) + "@cluster0.example.net",
        "redis://:" + body(16) + "@cache:6379/0",
    ],
    "SLACK_WEBHOOK": ["hooks.slack.com/services/" + "T" + body(8, UPPER) + "/B" + body(8, UPPER) + "/" + body(24)],
    "DISCORD_WEBHOOK": ["discord.com/api/webhooks/" + body(18, string.digits) + "/" + body(68)],
    "CLOUDFLARE_API_TOKEN": [
        "v1.0-" + body(24, HEX) + "-" + body(146, HEX),
        "cfut_" + body(40) + body(8, HEX),
        "cfk_" + body(40) + body(8, HEX),
    ],
}
# Values that only their names give away: text before the value, value.
NAMED = {
    "AWS_SECRET_KEY": [
        ("aws_secret_access_key = ", body(40)),
        ('"SecretAccessKey": "', body(40)),
        ("export AWS_SECRET_ACCESS_KEY=", body(40)),
    ],
    "AZURE_STORAGE_KEY": [("DefaultEndpointsProtocol=https;AccountName=x;AccountKey=", body(86) + "==")],
    "AZURE_SAS_TOKEN": [("?sv=2024-01-01&sig=", body(43) + "%3D")],
    "AZURE_KEY": [("AZURE_OPENAI_API_KEY=", body(84))],
    "NAMED_API_KEY": [("MISTRAL_API_KEY: ", body(32)), ("COHERE_API_KEY=", body(40))],
    "CLOUDFLARE_API_TOKEN": [("CLOUDFLARE_API_TOKEN='", body(40))],
    "OKTA_TOKEN": [("Authorization: SSWS ", "00" + body(40))],
    "MAILCHIMP_API_KEY": [("MAILCHIMP_API_KEY=", body(32, HEX) + "-us21")],
    "DISCORD_BOT_TOKEN": [("DISCORD_TOKEN=", body(26) + "." + body(6) + "." + body(38))],
    "ENTRA_CLIENT_SECRET": [('secret="Xy3', "8Q~" + body(34))],
    "TELEGRAM_BOT_TOKEN": [
        ("TELEGRAM_BOT_TOKEN=", body(10, "123456789") + ":" + body(35)),
        ("https://api.telegram.org/bot", body(10, "123456789") + ":" + body(35)),
    ],
}
PEM = "-----BEGIN {0}PRIVATE KEY-----\n{1}\n-----END {0}PRIVATE KEY-----"


@pytest.mark.parametrize(("category", "key"), [(c, key) for c, keys in KEYS.items() for key in keys])
@pytest.mark.parametrize("around", ["{}", 'key = "{}"', "제 키는 {}입니다", "(see {}, please)"])
def test_a_key_is_found_whole(category, key, around):
    before = around.partition("{}")[0]
    found = RAILS.check(around.format(key)).findings
    if category == "CONNECTION_STRING":
        found = [f for f in found if f.start == len(before)]
    assert [f.category for f in found] == [category]
    if category not in {"TERRAFORM_CLOUD_TOKEN", "CONNECTION_STRING"}:
        assert (found[0].start, found[0].end) == (len(before), len(before) + len(key))


@pytest.mark.parametrize("key", [key for keys in KEYS.values() for key in keys])
def test_a_key_in_two_pieces_never_leaves(key):
    rails = compile_rails([{"secrets": {"action": "mask"}}])
    text = f"키 {key}로 끝"
    whole = rails.check(text).text
    for cut in (3, 4, 2 + len(key) // 2, 1 + len(key), 2 + len(key)):
        stream = rails.stream()
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.finish() == whole


@pytest.mark.parametrize(("category", "before", "value"), [(c, *pair) for c, pairs in NAMED.items() for pair in pairs])
def test_a_value_is_known_by_its_name(category, before, value):
    (finding,) = RAILS.check(before + value + '"\n').findings
    assert finding.category == category
    assert (finding.start, finding.end) == (len(before), len(before) + len(value))


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\\n", "\n    "])
def test_a_private_key_is_found_to_its_end(kind, newline):
    key = PEM.format(kind, "\n".join(body(64, seed=n) for n in range(6)) + "\nAbC=").replace("\n", newline)
    text = f"here: {key} and more"
    verdict = RAILS.check(text)
    assert verdict.text == "here: [PRIVATE_KEY_1] and more"


def test_a_private_key_without_an_end_is_found_as_far_as_it_goes():
    verdict = RAILS.check("-----BEGIN PRIVATE KEY-----\n" + body(64) + "\n" + body(64) + "\nThat was it.")
    assert verdict.text == "[PRIVATE_KEY_1]\nThat was it."


def test_a_private_key_longer_than_any_blocks_even_where_keys_are_masked():
    rails = compile_rails([{"secrets": {"action": "mask"}}])
    long = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(body(64, seed=n) for n in range(200))
    verdict = rails.check(long)
    assert verdict.action is Action.BLOCK
    assert verdict.findings[0].reason == "secrets.private_key.overlong"


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-your-key-here-your-key-here-your-key-here",
        "sk-" + "x" * 48,
        "ghp_" + "a" * 36,
        "the BEGIN PRIVATE KEY header is -----BEGIN PRIVATE KEY----- as everyone knows",
        "https://example.com/a:b@c",
        "postgres://app:${DB_PASSWORD}@db/main",
        "postgres://app:<password>@db/main",
        "postgres://user:password@localhost/db",
        "SKILL and ACCOUNT and pattern and recipe re_match",
        "eyJhbGciOiJIUzI1NiJ9",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "d41d8cd98f00b204e9800998ecf8427e",
        "550e8400-e29b-41d4-a716-446655440000",
        "xghp_" + body(36),
    ],
)
def test_what_is_no_secret_is_left_alone(text):
    assert RAILS.check(text).findings == ()


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("AKIA" + "IOSFODNN7" + "EXAMPLE", "AWS_ACCESS_KEY"),
        ("sk-proj-" + "abcdefghijklmnopqrstuvwxyz0123456789" + "ABCD", "OPENAI_API_KEY"),
    ],
)
def test_an_example_in_the_exact_form_is_a_key(text, category):
    assert [f.category for f in RAILS.check(f"try {text} today").findings] == [category]


def test_every_format_has_a_case():
    assert set(KEYS) | set(NAMED) | {"PRIVATE_KEY"} == set(NAMES)


def test_more_than_twenty_five_providers():
    assert len({name.partition("_")[0] for name in NAMES}) >= 25


def test_a_marker_stands_where_its_pattern_begins():
    for form in FORMATS:
        for marker in form.markers:
            assert marker.isascii()
            assert 2 <= len(marker) <= 32


def test_ordinary_code_is_hardly_ever_flagged():
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path for path in root.glob("*.py"))[:200]
    flagged = sum(bool(RAILS.check(path.read_text(encoding="utf-8", errors="replace")).findings) for path in files)
    assert flagged <= len(files) * 0.002


def test_a_kind_has_its_own_action():
    rails = compile_rails([{"secrets": {"action": "detect", "actions": {"GITHUB_TOKEN": "block", "JWT": "none"}}}])
    assert rails.check("ghp_" + body(36)).action is Action.BLOCK
    assert rails.check("hf_" + body(34)).action is Action.DETECT
    assert rails.check(KEYS["JWT"][0]).action is Action.NONE


def test_only_the_named_kinds_are_looked_for():
    rails = compile_rails([{"secrets": {"kinds": ["NPM_TOKEN"]}}])
    assert rails.check("ghp_" + body(36)).action is Action.NONE
    assert rails.check("npm_" + body(36)).action is Action.BLOCK


def test_an_allowed_value_is_left_alone():
    key = "npm_" + body(36)
    assert compile_rails([{"secrets": {"allow": [key]}}]).check(key).action is Action.NONE


def test_an_unknown_kind_is_named():
    with pytest.raises(GuardConfigErrors) as caught:
        compile_rails([{"secrets": {"kinds": ["GITHUB"], "actions": {"NPM": "mask"}}}])
    assert [error.path for error in caught.value.errors] == [
        (0, "secrets", "kinds", 0),
        (0, "secrets", "actions", "NPM"),
    ]
    assert "GITHUB_TOKEN" in caught.value.errors[0].hint
