"""``apply``: Bedrock's ApplyGuardrail over real sockets, by plain HTTP and by Bedrock's own client."""

import asyncio
import json

import pytest

from guardrails import Action, compile_rails
from guardrails.run import Checked, Rails
from guardrails.types import Finding
from guardrails.views import Ask, Rewritten
from tests.router.core.test_bedrock import misfits

GUARDED = """
stillhouse: 1
name: guarded
quality: {keep: 0.9}
guards:
  input:
    - pii: {entities: [EMAIL, KR_RRN], action: mask}
    - words: {words: [blueprint], action: block}
    - words: {lists: [profanity-en], action: detect}
    - regex: {name: TICKET, pattern: "TK-[0-9]{4}", max_length: 7, action: detect}
  output:
    - secrets: {action: mask}
    - words: {words: [blueprint], action: block}
refusal: {input: "Not here.", output: "Not from here."}
"""
SHADOWED = """
stillhouse: 1
name: shadowed
quality: {keep: 0.9}
guards:
  shadow:
    input:
      - pii: {entities: [EMAIL], action: block}
"""


def block(text, *qualifiers):
    return {"text": {"text": text, **({"qualifiers": list(qualifiers)} if qualifiers else {})}}


async def apply(gw, *blocks, source="INPUT", policy="guarded", headers=None, **more):
    body = {"source": source, "content": [block(b) if isinstance(b, str) else b for b in blocks], **more}
    return await gw.http.post(f"/v1/guardrails/{policy}/apply", json=body, headers=headers)


async def test_a_harmless_text_is_let_be(serve):
    gw = await serve(GUARDED)
    answer = await apply(gw, "Good morning.")
    body = answer.json()
    assert (answer.status_code, body["action"], body["actionReason"], body["outputs"]) == (
        200,
        "NONE",
        "No action.",
        [],
    )
    assert body["guardrailCoverage"] == {"textCharacters": {"guarded": 13, "total": 13}}
    assert body["usage"]["sensitiveInformationPolicyUnits"] == body["usage"]["wordPolicyUnits"] == 1
    assert body["usage"]["topicPolicyUnits"] == 0
    [assessment] = body["assessments"]
    assert set(assessment) == {"invocationMetrics", "appliedGuardrailDetails"}
    assert assessment["invocationMetrics"]["guardrailProcessingLatency"] >= 0
    assert body["stillhouse"]["findings"] == []
    assert answer.headers["x-request-id"] == body["stillhouse"]["id"]


async def test_masked_texts_come_back_one_for_each_block(serve):
    gw = await serve(GUARDED)
    body = (await apply(gw, "a@example.com and b@example.com", "again a@example.com", "nothing")).json()
    assert (body["action"], body["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail masked.")
    assert [o["text"] for o in body["outputs"]] == ["[EMAIL_1] and [EMAIL_2]", "again [EMAIL_1]", "nothing"]
    found = body["assessments"][0]["sensitiveInformationPolicy"]["piiEntities"]
    assert found[0] == {"match": "a@example.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True}
    ours = body["stillhouse"]["findings"]
    assert [(f["where"], f["start"], f["end"]) for f in ours] == [
        ("content[0].text.text", 0, 13), ("content[0].text.text", 18, 31), ("content[1].text.text", 6, 19),
    ]  # fmt: skip
    assert "example.com" not in json.dumps(ours)


async def test_a_blocked_text_is_answered_with_the_policys_words_for_its_direction(serve):
    gw = await serve(GUARDED)
    for source, words in (("INPUT", "Not here."), ("OUTPUT", "Not from here.")):
        body = (await apply(gw, "the blueprint", source=source)).json()
        assert (body["action"], body["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail blocked.")
        assert body["outputs"] == [{"text": words}]
        assert body["assessments"][0]["wordPolicy"] == {
            "customWords": [{"match": "blueprint", "action": "BLOCKED", "detected": True}], "managedWordLists": [],
        }  # fmt: skip


async def test_what_is_only_detected_is_told_and_does_not_intervene(serve):
    gw = await serve(GUARDED)
    body = (await apply(gw, "this shit, see TK-1234")).json()
    assert (body["action"], body["outputs"]) == ("NONE", [])
    assessment = body["assessments"][0]
    assert assessment["wordPolicy"]["managedWordLists"] == [
        {"match": "shit", "action": "NONE", "detected": True, "type": "PROFANITY"}
    ]
    assert assessment["sensitiveInformationPolicy"]["regexes"] == [
        {"name": "TICKET", "match": "TK-1234", "action": "NONE", "detected": True}
    ]


async def test_what_bedrock_has_no_name_for_stands_among_the_patterns(serve):
    gw = await serve(GUARDED)
    found = (await apply(gw, "주민번호는 900101-1234568입니다")).json()["assessments"][0]["sensitiveInformationPolicy"]
    assert found["piiEntities"] == []
    assert found["regexes"] == [{"name": "KR_RRN", "match": "900101-1234568", "action": "ANONYMIZED", "detected": True}]


async def test_a_full_answer_lists_what_was_looked_for_and_not_found(serve):
    gw = await serve(GUARDED)
    body = (await apply(gw, "Good morning.", outputScope="FULL")).json()
    assert body["action"] == "NONE"
    assert body["assessments"][0]["sensitiveInformationPolicy"]["piiEntities"] == [
        {"match": "", "type": "EMAIL", "action": "NONE", "detected": False}
    ]


async def test_sources_and_queries_are_read_only_where_they_say_so(serve):
    gw = await serve(GUARDED)
    source, query = block("blueprint", "grounding_source"), block("blueprint?", "query")
    body = (await apply(gw, source, query, block("fine", "guard_content"), source="OUTPUT")).json()
    assert body["action"] == "NONE"
    assert body["guardrailCoverage"]["textCharacters"] == {"guarded": 4, "total": 23}
    both = block("blueprint", "grounding_source", "guard_content")
    assert (await apply(gw, both, source="OUTPUT")).json()["action"] == "GUARDRAIL_INTERVENED"


class Grounding:
    """A guard that asks a model whether the answer rests on its source."""

    guard, scope, actions = "grounding", "answer", frozenset({Action.BLOCK})

    def run(self, view):
        sources = [p.text for p in view.passages if p.origin == "document"]
        reply = yield Ask("small", "Is it founded?", f"{sources}|{view.query}|{view.text}")
        if reply == "Hello from upstream.":
            return (Finding("grounding", "GROUNDING", 0.75, 0, len(view.text), Action.BLOCK, "grounding.grounding"),)
        return ()


def grounded(lost=Action.BLOCK, **settings):
    settings = settings or {"grounding": 0.5, "relevance": 0.3}

    def change(cell):
        from dataclasses import replace

        policy = cell.policies["guarded"]
        rails = {**policy.rails, "output": Rails([], [Checked(Grounding(), lost)], "grounded")}
        guards = policy.body.guards.model_copy(update={"output": ({"grounding": settings},)})
        body = policy.body.model_copy(update={"guards": guards})
        cell.policies = {"guarded": replace(policy, rails=rails, body=body)}

    return change


async def test_a_guard_of_the_whole_answer_sees_sources_and_query_and_may_ask_a_model(serve, up):
    gw = await serve(GUARDED, cell=grounded())
    blocks = (
        block("Seoul is the capital.", "grounding_source"),
        block("Which?", "query"),
        block("Busan.", "guard_content"),
    )
    answer = await apply(gw, *blocks, source="OUTPUT")
    body = answer.json()
    assert (body["action"], body["outputs"]) == ("GUARDRAIL_INTERVENED", [{"text": "Not from here."}])
    [entry] = body["assessments"][0]["contextualGroundingPolicy"]["filters"]
    assert entry == {"type": "GROUNDING", "threshold": 0.5, "score": 0.25, "action": "BLOCKED", "detected": True}
    asked = json.loads(up.requests[-1].body)
    assert asked["messages"][1]["content"] == "['Seoul is the capital.']|Which?|Busan."
    record = await gw.record(answer)
    assert [a["kind"] for a in record["attempts"]] == ["check"]
    assert record["outcome"] == "blocked_output"


async def test_grounding_without_a_source_is_refused(serve):
    gw = await serve(GUARDED, cell=grounded())
    answer = await apply(gw, "Busan.", source="OUTPUT")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "content")
    assert "grounding_source" in answer.json()["error"]["message"]
    unasked = await apply(gw, block("S", "grounding_source"), "Busan.", source="OUTPUT")
    assert (unasked.status_code, "'query'" in unasked.json()["error"]["message"]) == (400, True)


async def test_a_policy_may_do_without_a_source(serve):
    gw = await serve(GUARDED, cell=grounded(grounding=0.5, without_sources="skip"))
    assert (await apply(gw, "Busan.", source="OUTPUT")).status_code == 200


async def test_a_check_that_could_not_be_made_blocks_and_is_named(serve):
    gw = await serve(GUARDED, cell=grounded())
    gw.cell.deployments = ()
    gw.cell._fleets.clear()
    body = (await apply(gw, block("S", "grounding_source"), block("Q", "query"), "Busan.", source="OUTPUT")).json()
    assert (body["action"], body["stillhouse"]["not_run"]) == ("GUARDRAIL_INTERVENED", ["grounding"])
    assert "contextualGroundingPolicy" not in body["assessments"][0]


class Mends(Grounding):
    """A guard that has an answer written again."""

    def run(self, view):
        text = yield Ask("small", "Write it again.", view.text)
        return Rewritten(
            f"{text} a@example.com", (Finding("grounding", "GROUNDING", 0.9, 0, 1, Action.BLOCK, "grounding.x"),), ()
        )


async def test_an_answer_that_was_written_again_is_guarded_again_and_stands_in_the_outputs(serve):
    def change(cell):
        from dataclasses import replace

        policy = cell.policies["guarded"]
        texts = compile_rails([{"pii": {"entities": ["EMAIL"], "action": "mask"}}])
        mending = Rails(texts._rails, [Checked(Mends(), Action.BLOCK)], "mending")
        cell.policies = {"guarded": replace(policy, rails={**policy.rails, "output": mending})}

    gw = await serve(GUARDED, cell=change)
    answer = await apply(gw, "first: b@example.com", source="OUTPUT")
    body = answer.json()
    assert (body["action"], body["actionReason"]) == ("GUARDRAIL_INTERVENED", "Guardrail rewrote.")
    assert body["outputs"] == [{"text": "Hello from upstream. [EMAIL_1]"}]
    assert [(f["category"], f["action"], f["where"]) for f in body["stillhouse"]["findings"]] == [
        ("EMAIL", "detect", "content[0].text.text"),
        ("GROUNDING", "detect", "content[0].text.text"),
        ("EMAIL", "mask", "outputs[0].text"),
    ]
    assert (await gw.record(answer))["guard_out"] == "mask"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"content": [block("x")]}, "source"),
        ({"source": "BOTH", "content": [block("x")]}, "source"),
        ({"source": "INPUT"}, "content"),
        ({"source": "INPUT", "content": []}, "content"),
        ({"source": "INPUT", "content": [block("x", "query")]}, "content"),
        ({"source": "INPUT", "content": [block("x", "SECRET-WORD")]}, "content[0].text.qualifiers[0]"),
        ({"source": "INPUT", "content": [{"text": {"text": 5}}]}, "content[0].text.text"),
        ({"source": "INPUT", "content": [{"text": "SECRET-WORD"}]}, "content[0].text"),
        ({"source": "INPUT", "content": [{}]}, "content[0]"),
        ({"source": "INPUT", "content": [block("x")], "outputScope": "ALL"}, "outputScope"),
        ({"source": "INPUT", "content": [block("x")], "scope": "FULL"}, "scope"),
        (
            {"source": "INPUT", "content": [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]},
            "content[0].image",
        ),
    ],
)
async def test_a_wrong_body_is_refused_naming_the_field(serve, body, param):
    gw = await serve(GUARDED)
    answer = await gw.http.post("/v1/guardrails/guarded/apply", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert "SECRET-WORD" not in answer.text


async def test_a_lone_surrogate_and_broken_json_are_refused(serve):
    gw = await serve(GUARDED)
    for text in (
        "{",
        '{"source":"INPUT","content":[{"text":{"text":"\\ud800"}}]}',
        '{"source":"INPUT","source":"OUTPUT"}',
    ):
        answer = await gw.http.post(
            "/v1/guardrails/guarded/apply", content=text, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


async def test_an_unknown_policy_another_method_and_another_path_are_refused(serve):
    gw = await serve(GUARDED)
    missing = await apply(gw, "x", policy="nothing")
    assert (missing.status_code, missing.json()["error"]["param"]) == (404, "policy")
    assert (await gw.http.get("/v1/guardrails/guarded/apply")).status_code == 405
    assert (await gw.http.post("/v1/guardrails/a/b/apply", json={})).status_code == 404


async def test_keys_need_the_scope_and_see_the_policies_that_they_may_name(serve, home):
    from datetime import UTC, datetime

    from router.registry.keys import KeyStore

    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)

    def made(tenant, **given):
        return {"authorization": f"Bearer {store.add(tenant=tenant, now=now, **given)[1]}"}

    usual, narrow, other = made("a"), made("a", scopes=("chat",)), made("b", models=("small",))
    gw = await serve(GUARDED, keys="required")
    assert (await apply(gw, "x")).status_code == 401
    assert (await apply(gw, "x", headers=narrow)).status_code == 403
    assert (await apply(gw, "x", headers=other)).status_code == 404
    answer = await apply(gw, "a@example.com", headers=usual)
    assert answer.status_code == 200
    gw.cell.ledger.flush()
    path = f"/v1/stillhouse/requests/{answer.headers['x-request-id']}"
    assert (await gw.http.get(path, headers=usual)).status_code == 200
    assert (await gw.http.get(path, headers=other)).status_code == 404


async def test_tenants_do_not_share_what_was_remembered(serve, home):
    from datetime import UTC, datetime

    from router.registry.keys import KeyStore

    store, now = KeyStore(home / "keys.json"), datetime(2026, 11, 1, tzinfo=UTC)
    tokens = [store.add(tenant=tenant, now=now)[1] for tenant in ("a", "b")]
    gw = await serve(GUARDED, keys="required")
    text = "A text that is long enough to be remembered, a@example.com."
    for token in tokens:
        assert (await apply(gw, text, headers={"authorization": f"Bearer {token}"})).json()["outputs"]
    assert len(gw.cell.verdicts) == 2


async def test_the_record_says_what_was_found_and_never_the_text(serve):
    gw = await serve(GUARDED)
    answer = await apply(gw, "the blueprint of kim@example.com")
    record = await gw.record(answer)
    assert (record["endpoint"], record["mode"], record["policy"]) == ("/v1/guardrails/apply", "guard", "guarded")
    assert (record["outcome"], record["guard_in"], record["guard_out"]) == ("blocked_input", "block", "none")
    assert {(f["guard"], f["where"]) for f in record["findings"]} == {
        ("pii", "content[0].text.text"), ("words", "content[0].text.text"),
    }  # fmt: skip
    assert "example.com" not in json.dumps(record)
    assert record["attempts"] == []


async def test_a_shadow_is_on_record_and_changes_nothing(serve):
    gw = await serve(SHADOWED)
    answer = await apply(gw, "a@example.com", policy="shadowed")
    assert answer.json()["action"] == "NONE"
    assert [(f["category"], f["shadow"]) for f in (await gw.record(answer))["findings"]] == [("EMAIL", True)]


async def test_a_long_text_is_read_elsewhere_and_to_its_end(serve):
    gw = await serve(GUARDED)
    text = "Plain words. " * 8_000 + "a@example.com"
    body = (await apply(gw, text)).json()
    assert body["outputs"][0]["text"].endswith("[EMAIL_1]")
    assert body["usage"]["sensitiveInformationPolicyUnits"] == 105


async def test_the_schema_knows_both_paths_and_what_they_take(serve):
    import jsonschema

    gw = await serve(GUARDED)
    paths = (await gw.http.get("/openapi.json")).json()["paths"]
    ours, theirs = (
        paths["/v1/guardrails/{policy}/apply"]["post"],
        paths["/guardrail/{policy}/version/{version}/apply"]["post"],
    )
    assert [p["name"] for p in theirs["parameters"] if p["in"] == "path"] == ["policy", "version"]
    schema = ours["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate({"source": "INPUT", "content": [block("x", "query")]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"source": "BOTH", "content": [block("x")]}, schema)


# --- Bedrock's own client


@pytest.fixture
def bedrock():
    """Makes a boto3 client of ``bedrock-runtime`` for a gateway. Over TLS it would send ``AWS_BEARER_TOKEN_BEDROCK``."""
    boto3 = pytest.importorskip("boto3", reason="the conformance is shown with the development lock installed")
    botocore = pytest.importorskip("botocore")

    def client(gw, token):
        unsigned = botocore.config.Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1})
        made = boto3.client("bedrock-runtime", endpoint_url=gw.url, region_name="us-east-1", config=unsigned)
        key = f"Bearer {token}"
        made.meta.events.register("before-send", lambda request, **_: request.headers.__setitem__("Authorization", key))
        return made

    return client


async def test_bedrocks_client_reaches_it_by_its_endpoint(serve, bedrock, home):
    from datetime import UTC, datetime

    from router.registry.keys import KeyStore

    token = KeyStore(home / "keys.json").add(tenant="a", now=datetime(2026, 11, 1, tzinfo=UTC))[1]
    gw = await serve(GUARDED, keys="required")

    def use():
        client = bedrock(gw, token)
        answer = client.apply_guardrail(
            guardrailIdentifier="guarded", guardrailVersion="DRAFT", source="INPUT",
            content=[{"text": {"text": "to a@example.com", "qualifiers": ["guard_content"]}}], outputScope="FULL",
        )  # fmt: skip
        client.close()
        return answer

    answer = await asyncio.to_thread(use)
    assert answer["action"] == "GUARDRAIL_INTERVENED"
    assert answer["outputs"] == [{"text": "to [EMAIL_1]"}]
    details = answer["assessments"][0]["appliedGuardrailDetails"]
    assert (details["guardrailId"], details["guardrailOwnership"]) == ("guarded", "SELF")
    assert answer["ResponseMetadata"]["RequestId"].startswith("req_")


async def test_bedrocks_client_raises_our_errors_by_its_names(serve, bedrock):
    gw = await serve(GUARDED)
    wanted = gw.cell.policies["guarded"].hash[:12]

    def use(**changes):
        client = bedrock(gw, "none")
        given = {
            "guardrailIdentifier": "guarded", "guardrailVersion": "DRAFT", "source": "INPUT",
            "content": [{"text": {"text": "x"}}], **changes,
        }  # fmt: skip
        try:
            return client.apply_guardrail(**given)["action"], ""
        except client.exceptions.ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        finally:
            client.close()

    results = [
        await asyncio.to_thread(lambda change=change: use(**change))
        for change in (
            {"guardrailIdentifier": "nothing"},
            {"guardrailVersion": "7"},
            {"guardrailVersion": wanted},
            {"source": "BOTH"},
            {"content": [{"image": {"format": "png", "source": {"bytes": b"x"}}}]},
            {"guardrailIdentifier": "arn:aws:bedrock:us-east-1:123456789012:guardrail/guarded"},
        )
    ]
    assert [code for code, _ in results] == [
        "ResourceNotFoundException", "ResourceNotFoundException", "NONE",
        "ValidationException", "ValidationException", "NONE",
    ]  # fmt: skip
    assert wanted in results[1][1]
    assert "content[0].image" in results[4][1]


async def test_an_answer_has_the_shape_of_the_service_model(serve):
    loaders = pytest.importorskip("botocore.session")
    shape = loaders.Session().get_service_model("bedrock-runtime").operation_model("ApplyGuardrail").output_shape
    gw = await serve(GUARDED)
    for text in ("the blueprint", "a@example.com TK-1234 shit", "fine"):
        body = (await apply(gw, text, outputScope="FULL")).json()
        assert body.pop("stillhouse")
        assert list(misfits(body, shape, "$")) == []
