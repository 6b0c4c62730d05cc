r"""What keys look like: one line a format, found by a marker that every such key begins with.

A format is read at the place of its marker, never searched for, so its cost is bounded by its limit.
``pattern`` is matched at the marker; a ``group`` narrows the span to the secret itself. Sources: the
providers' public documentation of their key formats, and keys as they are issued.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WORD = "0-9A-Za-z_"
_EDGE = rf"(?<![{_WORD}-])"
_KEY_ALPHABET = "$0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.:=/+~@%"
_PEM_CHARS = _KEY_ALPHABET + " \r\n\t\\,\"'"
# Beyond its limit a candidate is looked at once more with this much to spare: its last line may be cut.
SPARE = 128


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of secret.

    Attributes:
        category: its published name.
        markers: literals of which one stands at the beginning.
        pattern: the whole, matched at the marker.
        limit: longest match, in code points; one that long has outgrown the format.
        alphabet: every character a match, and what must follow it, can be made of; more text of
            these characters keeps a candidate open.
        judge: a last look at the value: placeholders and words are no secrets.
        group: the group that is the secret; 0 for the whole.
        score: confidence of a finding.
        begun: where the alphabet says too little: what an open candidate looks like.
    """

    category: str
    markers: tuple[str, ...]
    pattern: re.Pattern[str]
    limit: int
    alphabet: str
    judge: Callable[[str], bool]
    group: int
    score: float
    begun: re.Pattern[str] | None = None

    def live(self, text: str, begin: int) -> bool:
        """Whether a candidate at ``begin`` could still grow or change."""
        size = len(text) - begin
        if size > self.limit + SPARE:
            return False
        if self.begun is not None:
            return self.begun.fullmatch(text, begin) is not None
        return not text[begin:].strip(self.alphabet)


# Nobody could take these for a key: they are blanks to be filled in.
_BLANK = r"placeholder|your[-_]?|redacted|changeme|xxxx|\.\.\.|0000000"
_DUMMY = re.compile(rf"{_BLANK}|example|dummy|insert|sample|1234567890abcdef|abcdefgh", re.IGNORECASE)
_UNFILLED = re.compile(_BLANK, re.IGNORECASE)


_STOCK_PASSWORDS = frozenset(("pass", "passwd", "password", "passw0rd", "pwd", "secret", "user", "username"))


def has_the_form(value: str) -> bool:
    """Of a key in the exact form of its maker: not a blank to be filled in, not one character repeated.

    A documentation's example has the form too, and by form nobody can tell it from a key that works.
    """
    return _varied(value) and not _UNFILLED.search(value)


def looks_random(value: str) -> bool:
    """Of a value told only by its name: not a word of documentation, nor a name of a program, which has no digits."""
    return _varied(value) and any(map(str.isdigit, value)) and not _DUMMY.search(value)


def _varied(value: str) -> bool:
    body = value[-24:]
    return len(set(body)) > min(8, len(body) // 2)


def real_password(uri: str) -> bool:
    """The password of a connection string is not a variable, a template or the word itself."""
    password = uri.partition("://")[2].partition("@")[0].partition(":")[2]
    if password[0] in "$<{%[*" or password.lower() in _STOCK_PASSWORDS:
        return False
    return not _DUMMY.search(password)


def _token(category: str, markers: str, body: str, limit: int = 260, edge: str = _EDGE) -> Format:
    """A key that begins with one of ``markers`` (blank-separated) and goes on as ``body``."""
    literals = tuple(markers.split())
    heads = "|".join(re.escape(literal) for literal in sorted(literals, key=len, reverse=True))
    pattern = re.compile(rf"{edge}(?:{heads}){body}(?![{_WORD}])", re.ASCII)
    return Format(category, literals, pattern, limit, _KEY_ALPHABET, has_the_form, 0, 0.97)


def _named(category: str, markers: str, pattern: str, limit: int = 160, score: float = 0.9) -> Format:
    """A value without a form of its own, told by the name it is assigned to; group 1 is the value."""
    literals = tuple(markers.split())
    alphabet = _KEY_ALPHABET + " \"'`>|"
    return Format(category, literals, re.compile(pattern, re.ASCII), limit, alphabet, looks_random, 1, score)


# Between a name and its value: `NAME=value`, `name: "value"`, `"name": "value"`, `name => value`.
_SET = r"[\"'`]? {0,2}(?:=>|:=|[:=|>]) {0,2}[\"'`]?"

_URL64 = "[A-Za-z0-9_-]"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# An installation token since 2026: the application's number, then a JWT.
_STATELESS = rf"[0-9]{{1,12}}_eyJ{_URL64}{{8,400}}\.eyJ{_URL64}{{8,1200}}\.{_URL64}{{20,700}}"

# What separates the lines of a key, in a file, in a string literal, in JSON.
_BREAK = r"(?:\r?\n[ \t]{0,24}|\\r|\\n|[\"',])"

FORMATS: tuple[Format, ...] = (
    # --- models ---------------------------------------------------------------------------------------
    _token("OPENAI_API_KEY", "sk-proj- sk-svcacct- sk-admin- sk-service-", r"[A-Za-z0-9_-]{32,220}"),
    _token("OPENAI_API_KEY", "sk-", r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    _token("OPENAI_API_KEY", "sk-", r"[A-Za-z0-9]{48}"),
    _token("ANTHROPIC_API_KEY", "sk-ant-", r"(?:api|admin|oat|ort|sid)[0-9]{2}-[A-Za-z0-9_-]{60,140}"),
    _token("GOOGLE_API_KEY", "AIza", r"[A-Za-z0-9_-]{35}"),
    _token("GOOGLE_API_KEY", "AQ.", r"[A-Za-z0-9_-]{40,100}"),
    _token("HUGGINGFACE_TOKEN", "hf_ api_org_", r"[A-Za-z0-9]{30,40}"),
    _token("GROQ_API_KEY", "gsk_", r"[A-Za-z0-9]{48,60}"),
    _token("XAI_API_KEY", "xai-", r"[A-Za-z0-9]{70,90}"),
    _token("PERPLEXITY_API_KEY", "pplx-", r"[A-Za-z0-9]{40,64}"),
    _token("REPLICATE_API_TOKEN", "r8_", r"[A-Za-z0-9]{37,40}"),
    _token("OPENROUTER_API_KEY", "sk-or-v1-", r"[0-9a-f]{64}"),
    _token("FIREWORKS_API_KEY", "fw_", r"[A-Za-z0-9]{22,40}"),
    _token("NVIDIA_API_KEY", "nvapi-", r"[A-Za-z0-9_-]{60,70}"),
    _token("LANGSMITH_API_KEY", "lsv2_pt_ lsv2_sk_", r"[0-9a-f]{32}_[0-9a-f]{10}"),
    _token("PINECONE_API_KEY", "pcsk_", r"[A-Za-z0-9]{4,8}_[A-Za-z0-9]{50,70}"),
    _token("TAVILY_API_KEY", "tvly-", r"(?:dev-|prod-)?[A-Za-z0-9-]{28,48}"),
    _token("CEREBRAS_API_KEY", "csk-", r"[a-z0-9]{48}"),
    _token("TOGETHER_API_KEY", "tgp_v1_", r"[A-Za-z0-9_-]{43}"),
    _token("LANGFUSE_SECRET_KEY", "sk-lf-", _UUID),
    _token("JINA_API_KEY", "jina_", r"[0-9a-f]{32}[A-Za-z0-9_-]{28}"),
    _token("FIRECRAWL_API_KEY", "fc-", r"[0-9a-f]{32}"),
    _token("RUNPOD_API_KEY", "rpa_", r"[A-Za-z0-9]{40,60}"),
    _token("E2B_API_KEY", "e2b_", r"[0-9a-f]{40}"),
    _token("ELEVENLABS_API_KEY", "sk_", r"[0-9a-f]{48}"),
    _token("UPSTAGE_API_KEY", "up_", r"[A-Za-z0-9]{28,32}"),
    _token("DEEPSEEK_API_KEY", "sk-", r"[0-9a-f]{32}"),
    _named(
        "NAMED_API_KEY",
        "COHERE_API_KEY cohere_api_key MISTRAL_API_KEY mistral_api_key TOGETHER_API_KEY together_api_key"
        " UPSTAGE_API_KEY NAVER_CLIENT_SECRET KAKAO_REST_API_KEY DATADOG_API_KEY DD_API_KEY DD_APP_KEY"
        " ELEVENLABS_API_KEY WANDB_API_KEY",
        r"[A-Za-z_]{6,24}" + _SET + r"([A-Za-z0-9_-]{16,80})(?![A-Za-z0-9_-])",
    ),
    # --- clouds ---------------------------------------------------------------------------------------
    _token("AWS_ACCESS_KEY", "AKIA ASIA ABIA ACCA", r"[A-Z2-7]{16}"),
    _token("AWS_BEDROCK_API_KEY", "ABSK", r"[A-Za-z0-9+/]{100,300}={0,2}", 320),
    _named(
        "AWS_SECRET_KEY",
        "aws_secret AWS_SECRET secret_access_key SECRET_ACCESS_KEY secretAccessKey SecretAccessKey"
        " aws_session AWS_SESSION",
        r"[A-Za-z_]{8,32}" + _SET + r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    _named("AZURE_STORAGE_KEY", "AccountKey", r"AccountKey=([A-Za-z0-9+/]{86}==)"),
    _named("AZURE_SAS_TOKEN", "sig=", r"sig=([A-Za-z0-9%]{43,80}(?:%3D|=))(?![A-Za-z0-9%])"),
    _named(
        "AZURE_KEY",
        "AZURE_OPENAI_API_KEY AZURE_CLIENT_SECRET AZURE_API_KEY azure_openai_api_key"
        " Ocp-Apim-Subscription-Key SharedAccessKey",
        r"[A-Za-z_-]{10,32}" + _SET + r"([A-Za-z0-9+/~._=-]{32,90})(?![A-Za-z0-9+/~._-])",
    ),
    _token("GOOGLE_OAUTH_SECRET", "GOCSPX-", r"[A-Za-z0-9_-]{28}"),
    _token("GOOGLE_OAUTH_TOKEN", "ya29.", r"[A-Za-z0-9_-]{30,240}"),
    _token("GOOGLE_OAUTH_TOKEN", "1//0", r"[A-Za-z0-9_-]{60,120}"),
    _token("NAVER_CLOUD_KEY", "ncp_iam_", r"BP[AK][A-Z]KR[A-Za-z0-9]{12,40}"),
    _token("ENTRA_CLIENT_SECRET", "8Q~ 7Q~", r"[A-Za-z0-9_~.-]{31,34}", edge=r"(?<=[A-Za-z0-9_~.-]{3})"),
    _token("DIGITALOCEAN_TOKEN", "dop_v1_ doo_v1_ dor_v1_", r"[0-9a-f]{64}"),
    _token("ALIBABA_ACCESS_KEY", "LTAI", r"[A-Za-z0-9]{16,20}"),
    _token("TENCENT_SECRET_ID", "AKID", r"[A-Za-z0-9]{32}"),
    _token("CLOUDFLARE_API_TOKEN", "cfk_ cfut_ cfat_", r"[A-Za-z0-9_-]{40,64}"),
    _token("CLOUDFLARE_API_TOKEN", "v1.0-", r"[0-9a-f]{24}-[0-9a-f]{146}"),
    _named(
        "CLOUDFLARE_API_TOKEN",
        "CLOUDFLARE_API_TOKEN CF_API_TOKEN cloudflare_api_token",
        r"[A-Za-z_]{10,24}" + _SET + r"([A-Za-z0-9_-]{40})(?![A-Za-z0-9_-])",
    ),
    _token("FLY_API_TOKEN", "fo1_ fm2_", r"[A-Za-z0-9+/_-]{40,240}={0,3}"),
    _token("VERCEL_TOKEN", "vcp_ vci_ vca_ vcr_ vck_", r"[A-Za-z0-9]{24,64}"),
    _token("NETLIFY_TOKEN", "nfp_ nfc_ nfo_ nfb_", r"[A-Za-z0-9]{36,40}"),
    _token("HEROKU_API_KEY", "HRKU-", r"[A-Za-z0-9_-]{36,70}"),
    _token("SUPABASE_TOKEN", "sbp_ sb_secret_", r"[A-Za-z0-9_-]{31,48}"),
    _token("PLANETSCALE_TOKEN", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[A-Za-z0-9_.-]{32,64}"),
    _token("DATABRICKS_TOKEN", "dapi", r"[0-9a-f]{32}(?:-[0-9])?"),
    _token("HASHICORP_VAULT_TOKEN", "hvs. hvb. hvr.", r"[A-Za-z0-9_-]{24,220}"),
    _token("TERRAFORM_CLOUD_TOKEN", ".atlasv1.", r"[A-Za-z0-9_-]{60,70}", edge=""),
    _token("DOPPLER_TOKEN", "dp.pt. dp.st. dp.ct. dp.sa.", r"(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    _token(
        "TAILSCALE_KEY", "tskey-auth- tskey-api- tskey-client- tskey-webhook-", r"[A-Za-z0-9]{8,24}-[A-Za-z0-9]{24,48}"
    ),
    _token("NEON_API_KEY", "napi_", r"[a-z0-9]{60,72}"),
    _token("RENDER_API_KEY", "rnd_", r"[A-Za-z0-9]{28,40}"),
    _token("OPENSHIFT_TOKEN", "sha256~", r"[A-Za-z0-9_-]{43}"),
    _token("ONEPASSWORD_TOKEN", "ops_eyJ", r"[A-Za-z0-9_-]{200,1600}={0,3}", 1620),
    _token("MAPBOX_SECRET_TOKEN", "sk.eyJ", r"[A-Za-z0-9_-]{40,160}\.[A-Za-z0-9_-]{20,24}"),
    _token("PREFECT_API_KEY", "pnu_ pnb_", r"[A-Za-z0-9]{36}"),
    _token("CONTENTFUL_TOKEN", "CFPAT-", r"[A-Za-z0-9_-]{43}"),
    _token("PULUMI_TOKEN", "pul-", r"[0-9a-f]{40}"),
    # --- code and packages ----------------------------------------------------------------------------
    _token("GITHUB_TOKEN", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{36,251}"),
    _token(
        "GITHUB_TOKEN",
        "ghs_ ghu_",
        _STATELESS,
        2400,
    ),
    _token("GITHUB_TOKEN", "github_pat_", r"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    _token(
        "GITLAB_TOKEN",
        "glpat- gldt- glptt- glrt- glrtr- glcbt- glsoat- glft- glffct- glimt- glagent- glwt- gloas-",
        r"[A-Za-z0-9_-]{20,180}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,9})?",
    ),
    _token("BITBUCKET_TOKEN", "ATBB", r"[A-Za-z0-9]{32}"),
    _token("ATLASSIAN_API_TOKEN", "ATATT3", r"[A-Za-z0-9_=-]{100,230}"),
    _token("NPM_TOKEN", "npm_", r"[A-Za-z0-9]{36}"),
    _token("PYPI_TOKEN", "pypi-AgEIcHlwaS5vcmc pypi-AgENdGVzdC5weXBpLm9yZw", r"[A-Za-z0-9_-]{50,220}"),
    _token("NUGET_API_KEY", "oy2", r"[a-z0-9]{43}"),
    _token("CLOJARS_TOKEN", "CLOJARS_", r"[0-9a-f]{60}"),
    _token("SOURCEGRAPH_TOKEN", "sgp_", r"(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
    _token("BUILDKITE_TOKEN", "bkua_", r"[0-9a-f]{40}"),
    _token("README_API_KEY", "rdme_", r"[a-z0-9]{70}"),
    _token("RUBYGEMS_API_KEY", "rubygems_", r"[0-9a-f]{48}"),
    _token("CRATES_IO_TOKEN", "cio", r"[A-Za-z0-9]{32}"),
    _token("DOCKER_TOKEN", "dckr_pat_ dckr_oat_", r"[A-Za-z0-9_-]{27,40}"),
    _token("JFROG_TOKEN", "AKCp", r"[A-Za-z0-9]{60,75}"),
    _token("SONARQUBE_TOKEN", "squ_ sqp_ sqa_", r"[0-9a-f]{40}"),
    _token("CIRCLECI_TOKEN", "CCIPAT_ CCIPRJ_", r"[A-Za-z0-9]{20,24}_[0-9a-f]{40}"),
    _token("FIGMA_TOKEN", "figd_ figo_ figor_", r"[A-Za-z0-9_-]{38,48}"),
    _token("LINEAR_API_KEY", "lin_api_ lin_oauth_", r"[A-Za-z0-9]{40,64}"),
    _token("NOTION_TOKEN", "ntn_", r"[0-9]{11}[A-Za-z0-9]{35}"),
    _token("POSTMAN_API_KEY", "PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    _token("AIRTABLE_TOKEN", "pat", r"[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    # --- messages, money, monitoring --------------------------------------------------------------------
    _token("SLACK_TOKEN", "xoxb- xoxp- xoxa- xoxr- xoxs- xoxo- xoxe- xoxc- xoxd-", r"[A-Za-z0-9%-]{20,250}", 280),
    _token("SLACK_TOKEN", "xapp-", r"[0-9]-[A-Z0-9]{8,14}-[0-9]{8,14}-[0-9a-f]{60,70}"),
    _token(
        "SLACK_WEBHOOK",
        "hooks.slack.com/services/",
        r"T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}/[A-Za-z0-9]{20,26}",
        edge="",
    ),
    _token(
        "DISCORD_WEBHOOK",
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/",
        r"[0-9]{17,20}/[A-Za-z0-9_-]{60,72}",
        edge="",
    ),
    _named(
        "DISCORD_BOT_TOKEN",
        "DISCORD_TOKEN DISCORD_BOT_TOKEN discord_token",
        r"[A-Za-z_]{8,20}" + _SET + r"([A-Za-z0-9_-]{24,28}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40})",
    ),
    _token("STRIPE_KEY", "sk_live_ sk_test_ rk_live_ rk_test_", r"[A-Za-z0-9]{20,200}"),
    _token("STRIPE_WEBHOOK_SECRET", "whsec_", r"[A-Za-z0-9+/=]{32,64}"),
    _token("SQUARE_TOKEN", "sq0atp- sq0csp- sq0idp-", r"[A-Za-z0-9_-]{22,48}"),
    _token("SQUARE_TOKEN", "EAAA", r"[A-Za-z0-9_-]{60}"),
    _token(
        "PLAID_TOKEN",
        "access-production- access-sandbox-",
        _UUID,
    ),
    _token("EASYPOST_KEY", "EZAK EZTK", r"[A-Za-z0-9]{54}"),
    _token("DUFFEL_TOKEN", "duffel_live_ duffel_test_", r"[A-Za-z0-9_-]{43}"),
    _token("SHIPPO_TOKEN", "shippo_live_ shippo_test_", r"[0-9a-f]{40}"),
    _token("FLUTTERWAVE_KEY", "FLWSECK-", r"[0-9a-f]{32,44}-X"),
    _token("TYPEFORM_TOKEN", "tfp_", r"[A-Za-z0-9_.-]{40,59}"),
    _token("FACEBOOK_TOKEN", "EAA", r"[A-Za-z0-9]{90,240}"),
    _token("DROPBOX_TOKEN", "sl.u. sl.B", r"[A-Za-z0-9_-]{120,1200}", 1220),
    _token("LAUNCHDARKLY_KEY", "sdk-", _UUID),
    _token("BRAINTREE_TOKEN", "access_token$production$ access_token$sandbox$", r"[0-9a-z]{16}\$[0-9a-f]{32}"),
    _token("TOSS_PAYMENTS_KEY", "live_sk_ test_sk_ live_gsk_ test_gsk_", r"[A-Za-z0-9]{24,48}"),
    _token("SHOPIFY_TOKEN", "shpat_ shpca_ shppa_ shpss_", r"[0-9a-fA-F]{32}"),
    _token("TWILIO_API_KEY", "SK", r"[0-9a-f]{32}"),
    _token("TWILIO_ACCOUNT_SID", "AC", r"[0-9a-f]{32}"),
    _token("SENDGRID_API_KEY", "SG.", r"[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}"),
    _token("MAILGUN_API_KEY", "key-", r"[0-9a-f]{32}"),
    _named(
        "MAILCHIMP_API_KEY",
        "MAILCHIMP_API_KEY mailchimp_api_key",
        r"[A-Za-z_]{17}" + _SET + r"([0-9a-f]{32}-us[0-9]{1,2})",
    ),
    _token("BREVO_API_KEY", "xkeysib- xsmtpsib-", r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    _token("RESEND_API_KEY", "re_", r"[A-Za-z0-9]{8}_[A-Za-z0-9]{20,26}"),
    _token("POSTHOG_KEY", "phx_ phs_", r"[A-Za-z0-9]{40,52}"),
    _token("NEW_RELIC_KEY", "NRAK- NRJS- NRII-", r"[A-Za-z0-9_-]{19,32}"),
    _token("GRAFANA_TOKEN", "glsa_", r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    _token("GRAFANA_TOKEN", "glc_", r"[A-Za-z0-9+/]{32,240}={0,3}"),
    _token("SENTRY_TOKEN", "sntrys_ sntryu_", r"[A-Za-z0-9+/=_-]{60,240}"),
    _token("DYNATRACE_TOKEN", "dt0c01. dt0s16.", r"[A-Z2-7]{24}\.[A-Z2-7]{64}"),
    _named(
        "OKTA_TOKEN",
        "SSWS OKTA_API_TOKEN okta_token",
        r"[A-Za-z_]{4,20}(?: |" + _SET + r")(00[A-Za-z0-9_-]{40})",
    ),
    _token("AGE_SECRET_KEY", "AGE-SECRET-KEY-1", r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    _named(
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_BOT_TOKEN TELEGRAM_TOKEN telegram_token api.telegram.org/bot",
        r"[A-Za-z_./]{8,24}(?:" + _SET + r")?([0-9]{8,10}:[A-Za-z0-9_-]{35})",
    ),
    # --- forms of their own -----------------------------------------------------------------------------
    Format(
        "JWT",
        ("eyJ",),
        re.compile(
            rf"{_EDGE}eyJ[A-Za-z0-9_-]{{8,1024}}\.eyJ[A-Za-z0-9_-]{{8,6144}}(?:\.[A-Za-z0-9_-]{{0,1024}})?",
            re.ASCII,
        ),
        7168,
        _KEY_ALPHABET,
        lambda _: True,
        0,
        0.97,
        re.compile(
            r"eyJ[A-Za-z0-9_-]{0,1024}"
            r"(?:\.(?:e(?:y(?:J[A-Za-z0-9_-]{0,6144}(?:\.[A-Za-z0-9_-]{0,1024})?)?)?)?)?",
            re.ASCII,
        ),
    ),
    Format(
        "PRIVATE_KEY",
        ("-----BEGIN",),
        re.compile(
            rf"-----BEGIN (?:[A-Z0-9]{{1,12}} ){{0,3}}PRIVATE KEY(?: BLOCK)?-----{_BREAK}{{1,8}}"
            rf"(?:[A-Za-z-]{{4,20}}: [^\r\n\\]{{1,80}}{_BREAK}{{1,8}}){{0,4}}"
            rf"[A-Za-z0-9+/=]{{16,4096}}(?:{_BREAK}{{1,8}}[A-Za-z0-9+/=]{{16,4096}})*"
            rf"(?:(?:{_BREAK}{{1,8}}[A-Za-z0-9+/=]{{1,15}})?{_BREAK}{{0,8}}"
            r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?",
            re.ASCII,
        ),
        8192,
        _PEM_CHARS,
        lambda _: True,
        0,
        0.99,
    ),
    Format(
        "CONNECTION_STRING",
        tuple(
            f"{scheme}://"
            for scheme in (
                "postgres",
                "postgresql",
                "mysql",
                "mariadb",
                "mongodb",
                "mongodb+srv",
                "redis",
                "rediss",
                "amqp",
                "amqps",
                "mssql",
                "sqlserver",
                "clickhouse",
                "cockroachdb",
                "oracle",
                "ftp",
                "ftps",
                "sftp",
                "ssh",
                "smtp",
                "smtps",
                "ldap",
                "ldaps",
                "imap",
                "kafka",
                "nats",
                "mqtt",
                "http",
                "https",
            )
        ),
        re.compile(
            r"[a-z+]{3,12}://[^\s:@/\"'<>`]{0,64}:([^\s@/\"'<>`]{3,128})@[^\s\"'<>`]{1,300}",
            re.ASCII,
        ),
        520,
        "",
        real_password,
        0,
        0.93,
        re.compile(
            r"[a-z+]{3,12}://[^\s:@/\"'<>`]{0,64}(?::(?:[^\s@/\"'<>`]{0,128}(?:@[^\s\"'<>`]{0,300})?)?)?",
            re.ASCII,
        ),
    ),
)
