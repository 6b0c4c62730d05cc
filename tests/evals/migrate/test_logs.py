"""Spend logs of LiteLLM's and invocation logs of Bedrock's: each shape as it is written, and what becomes of bad rows."""

import csv
import gzip
import json

import pytest
from click.testing import CliRunner

from evals.migrate.bedrock_logs import bedrock_calls
from evals.migrate.calls import LogError
from evals.migrate.litellm_logs import litellm_calls
from stillhouse.cli.migrate import command
from stillhouse.cli.report import command as report
from stillhouse.cli.route import command as route

ASKED = [{"role": "user", "content": "What is the capital of France?"}]
AT = 1_763_985_600_000  # 2025-11-24 12:00 UTC


def spend(number=1, **changes):
    """A row of LiteLLM_SpendLogs as ``/spend/logs`` gives it."""
    given = {
        "request_id": f"chatcmpl-{number}",
        "call_type": "acompletion",
        "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "spend": 0.000123,
        "total_tokens": 60,
        "prompt_tokens": 20,
        "completion_tokens": 40,
        "startTime": "2025-11-24T12:00:00.000000Z",
        "endTime": "2025-11-24T12:00:01.250000Z",
        "completionStartTime": "2025-11-24T12:00:00.300000Z",
        "model": "gpt-4o",
        "model_group": "gpt-4o",
        "custom_llm_provider": "openai",
        "api_base": "https://api.openai.com",
        "user": "u-1",
        "team_id": "search team",
        "end_user": "",
        "cache_hit": "False",
        "metadata": json.dumps(
            {"user_api_key_alias": "k", "usage_object": {"prompt_tokens_details": {"cached_tokens": 8}}}
        ),
        "request_tags": "[]",
        "messages": json.dumps(ASKED),
        "response": json.dumps({"choices": [{"message": {"content": "Paris."}, "finish_reason": "stop"}]}),
        "proxy_server_request": "{}",
        "session_id": "s-1",
        "status": "success",
    }
    return {**given, **changes}


def as_json(path, rows):
    path.write_text(json.dumps(rows, indent=1))


def as_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_data(path, rows):
    path.write_text(json.dumps({"data": rows, "total": len(rows)}))


def as_csv(path, rows):
    with path.open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.mark.parametrize(
    ("name", "write"), [("a.json", as_json), ("a.jsonl", as_lines), ("b.json", as_data), ("a.csv", as_csv)]
)
def test_spend_logs_read_the_same_from_every_form(tmp_path, name, write):
    path = tmp_path / name
    write(path, [spend(1), spend(2, startTime="2025-11-24T11:00:00")])
    first, second = litellm_calls([path]).found
    assert (first.id, second.id) == ("chatcmpl-2", "chatcmpl-1")
    assert (second.at_ms, second.latency_ms) == (AT, 1250)
    assert (second.model, second.tenant, second.session) == ("gpt-4o", "search-team", "s-1")
    assert second.messages == ASKED
    assert (second.answer, second.finish_reason) == ("Paris.", "stop")
    assert (second.tokens_in, second.tokens_out, second.tokens_cached, second.cost_nano) == (20, 40, 8, 123_000)


def test_a_keys_hash_is_never_copied(tmp_path):
    as_lines(tmp_path / "a.jsonl", [spend()])
    [call] = litellm_calls([tmp_path / "a.jsonl"]).found
    assert "88dc28d0" not in repr(call)


def test_prompts_are_taken_from_the_request_where_the_column_is_empty(tmp_path):
    sent = {"model": "gpt-4o", "messages": ASKED, "tools": [{"type": "function", "function": {"name": "f"}}]}
    as_lines(tmp_path / "a.jsonl", [spend(messages="{}", proxy_server_request=json.dumps(sent))])
    [call] = litellm_calls([tmp_path / "a.jsonl"]).found
    assert (call.messages, call.tools) == (ASKED, sent["tools"])


def test_rows_that_are_no_chat_or_hold_no_text_are_counted_by_their_reason(tmp_path):
    rows = [spend(1), spend(2, call_type="aembedding"), spend(3, status="failure"), spend(4, messages="{}")]
    as_lines(tmp_path / "a.jsonl", rows)
    calls = litellm_calls([tmp_path / "a.jsonl"])
    assert len(calls.found) == 1
    assert sorted(calls.skipped.values()) == [1, 1, 1]
    assert any("store_prompts_in_spend_logs" in reason for reason in calls.skipped)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (7, "it is no object"),
        (spend(2, request_id=None), "'request_id' must be text"),
        (spend(2, startTime="yesterday"), "'startTime' must be a time"),
        (spend(2, prompt_tokens=-1), "'prompt_tokens' must be a whole number"),
        (spend(2, prompt_tokens=float("inf")), "'prompt_tokens' must be a whole number"),
        (spend(2, prompt_tokens=10**400), "'prompt_tokens' must be a whole number"),
        (spend(2, prompt_tokens=1.5), "'prompt_tokens' must be a whole number"),
        (spend(2, spend="much"), "'spend' must be an amount"),
        (spend(2, messages='[{"role": "us'), "'messages' is cut, or no JSON"),
        (spend(2, messages=[{"content": "no role"}]), "'messages' are not OpenAI's"),
        (spend(1), "the id 'chatcmpl-1' stands twice"),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
def test_every_bad_row_is_named_and_its_text_is_not(tmp_path, row, words):
    path = tmp_path / "a.jsonl"
    as_lines(path, [spend(1), row, row])
    with pytest.raises(LogError) as refused:
        litellm_calls([path])
    assert f"a.jsonl:2: {words}" in str(refused.value)
    assert "a.jsonl:3:" in str(refused.value)
    assert "France" not in str(refused.value)


def test_a_csv_with_a_short_row_or_without_a_column_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("request_id,startTime,model\nx\n")
    with pytest.raises(LogError, match=r"a\.csv:2: it is no object"):
        litellm_calls([tmp_path / "a.csv"])
    (tmp_path / "b.csv").write_text("id,startTime,model\n")
    with pytest.raises(LogError, match="no column 'request_id'"):
        litellm_calls([tmp_path / "b.csv"])


# --- Bedrock


def invocation(
    number=1, operation="Converse", model="anthropic.claude-3-5-haiku-20241022-v1:0", body=None, reply=None, **changes
):
    """A record of a model invocation log as it lies in S3."""
    given = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2025-11-24T12:00:00Z",
        "accountId": "123456789012",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/app/search-service"},
        "region": "us-east-1",
        "requestId": f"req-{number}",
        "operation": operation,
        "modelId": model,
        "input": {"inputContentType": "application/json", "inputBodyJson": body or CONVERSE, "inputTokenCount": 20},
        "output": {"outputContentType": "application/json", "outputBodyJson": reply or ANSWERED, "outputTokenCount": 40},
    }  # fmt: skip
    return {**given, **changes}


CONVERSE = {
    "system": [{"text": "Be short."}],
    "messages": [{"role": "user", "content": [{"text": "What is the capital of France?"}]}],
    "inferenceConfig": {"maxTokens": 100},
    "toolConfig": {
        "tools": [
            {"toolSpec": {"name": "look", "description": "Look it up.", "inputSchema": {"json": {"type": "object"}}}}
        ]
    },
}
ANSWERED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Paris."}]}},
    "stopReason": "end_turn",
    "metrics": {"latencyMs": 640},
    "usage": {"inputTokens": 20, "outputTokens": 40, "totalTokens": 60},
}
CLAUDE = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "system": "Be short.", "messages": ASKED}
LLAMA = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe short.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nWhat is the capital of France?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
SHORT = [{"role": "system", "content": "Be short."}, *ASKED]

SHAPES = {
    "converse": invocation(),
    "converse stream": invocation(operation="ConverseStream"),
    "claude": invocation(
        operation="InvokeModel", body=CLAUDE,
        reply={"content": [{"type": "text", "text": "Paris."}], "stop_reason": "end_turn", "usage": {"input_tokens": 20, "output_tokens": 40}},
    ),
    "claude stream": invocation(
        operation="InvokeModelWithResponseStream", body=CLAUDE,
        reply=[
            {"type": "message_start", "message": {"usage": {"input_tokens": 20, "output_tokens": 1}}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "is."}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}},
        ],
    ),
    "nova": invocation(operation="InvokeModel", model="us.amazon.nova-lite-v1:0", reply=ANSWERED),
    "nova stream": invocation(
        operation="InvokeModelWithResponseStream", model="amazon.nova-lite-v1:0",
        reply=[
            {"contentBlockDelta": {"delta": {"text": "Par"}}}, {"contentBlockDelta": {"delta": {"text": "is."}}},
            {"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": {"inputTokens": 20, "outputTokens": 40}}},
        ],
    ),
    "llama": invocation(
        operation="InvokeModel", model="meta.llama3-1-8b-instruct-v1:0", body={"prompt": LLAMA, "max_gen_len": 100},
        reply={"generation": "Paris.", "prompt_token_count": 20, "generation_token_count": 40, "stop_reason": "end_turn"},
    ),
    "llama stream": invocation(
        operation="InvokeModelWithResponseStream", model="meta.llama3-1-8b-instruct-v1:0", body={"prompt": LLAMA},
        reply=[
            {"generation": "Par", "prompt_token_count": 20, "generation_token_count": 1, "stop_reason": None},
            {"generation": "is.", "prompt_token_count": None, "generation_token_count": 40, "stop_reason": "end_turn"},
        ],
    ),
}  # fmt: skip


def packed(path, rows):
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_an_invocation_says_the_same(tmp_path, shape, counted):
    row = json.loads(json.dumps(SHAPES[shape]))
    if not counted:  # then the model's own words are taken
        del row["input"]["inputTokenCount"], row["output"]["outputTokenCount"]
    [call] = bedrock_calls([packed(tmp_path / "log.json.gz", [row])]).found
    assert call.messages == SHORT
    assert (call.answer, call.finish_reason) == ("Paris.", "end_turn")
    assert (call.tokens_in, call.tokens_out) == (20, 40)
    assert (call.at_ms, call.tenant, call.source) == (AT, "search-service", "bedrock")
    assert call.stream == shape.endswith("stream")


def test_the_region_of_a_profile_does_not_belong_to_the_models_name_and_tools_are_openais(tmp_path):
    rows = [
        invocation(1),
        invocation(2, model="arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0"),
    ]
    first, second = bedrock_calls([packed(tmp_path / "a.json.gz", rows)]).found
    assert first.tools == [
        {
            "type": "function",
            "function": {"name": "look", "description": "Look it up.", "parameters": {"type": "object"}},
        }
    ]
    assert second.model == "amazon.nova-lite-v1:0"
    assert first.cost_nano is not None


def test_tool_use_and_its_result_become_openais_messages(tmp_path):
    body = {
        "messages": [
            {"role": "user", "content": [{"text": "Weather?"}]},
            {
                "role": "assistant",
                "content": [
                    {"text": "I look."},
                    {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": "Paris"}}},
                ],
            },
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"sun": True}}]}}]},
        ]
    }
    [call] = bedrock_calls([packed(tmp_path / "a.json.gz", [invocation(body=body)])]).found
    assert [message["role"] for message in call.messages] == ["user", "assistant", "tool"]
    assert call.messages[1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": "Paris"}'}
    assert (call.messages[2]["tool_call_id"], call.messages[2]["content"]) == ("t1", '{"sun": true}')


def test_what_was_read_from_a_prompt_cache_counts_as_input(tmp_path):
    row = invocation()
    row["input"] |= {"cacheReadInputTokenCount": 100, "cacheWriteInputTokenCount": 7}
    [call] = bedrock_calls([packed(tmp_path / "a.json.gz", [row])]).found
    assert (call.tokens_in, call.tokens_cached) == (127, 100)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"schemaType": "Else"}, "its 'schemaType'"),
        (invocation(2, input=None), "'input' must be an object"),
        (invocation(2, input={"inputBodyS3Path": "s3://b/k"}), "lies in a file of its own"),
        (invocation(2, input={}), "text delivery was off"),
        (invocation(2, body={"messages": []}), "nobody asked"),
        (invocation(2, operation="InvokeModel", model="mistral.mistral-large-2402-v1:0"), "the shape of mistral"),
        (invocation(2, timestamp=None), "'timestamp' must be a time"),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_named(tmp_path, row, words):
    with pytest.raises(LogError) as refused:
        bedrock_calls([packed(tmp_path / "a.json.gz", [invocation(1), row])])
    assert "a.json.gz:2: " in str(refused.value)
    assert words in str(refused.value)


def test_failed_calls_and_embeddings_are_counted(tmp_path):
    rows = [
        invocation(1, errorCode="ThrottlingException"),
        invocation(
            2,
            operation="InvokeModel",
            model="amazon.titan-embed-text-v2:0",
            body={"inputText": "x"},
            reply={"embedding": []},
        ),
        invocation(3),
    ]
    calls = bedrock_calls([packed(tmp_path / "a.json.gz", rows)])
    assert (len(calls.found), sorted(calls.skipped.values())) == (1, [1, 1])


@pytest.mark.parametrize(("name", "content"), [("a.json.gz", b"not gzip"), ("a.json", b"\xff\xfe"), ("b.json", b"{")])
def test_a_damaged_file_is_refused_by_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LogError, match=name):
        bedrock_calls([path])


# --- the commands


SETTINGS = """
stillhouse: 1
upstreams: {up: {kind: openai, base_url: "http://127.0.0.1:1/v1"}}
tiers:
  - {tier: small, upstream: up, model: mini, price: {input: 0.1, output: 0.2}}
  - {tier: large, upstream: up, model: openai/gpt-4o, price: {input: 2, output: 6}}
"""
SMALL = "stillhouse: 1\nname: always-small\ntiers: [small]\nfallback_tier: small\n"


def test_rows_can_be_decided_for(tmp_path):
    as_lines(tmp_path / "a.jsonl", [spend(1), spend(2, messages=[*SHORT])])
    out = tmp_path / "rows.jsonl"
    done = CliRunner().invoke(command, ["litellm-logs", str(tmp_path / "a.jsonl"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    decided = CliRunner().invoke(route, ["--in", str(out)])
    assert [json.loads(line)["id"] for line in decided.stdout.splitlines()] == ["chatcmpl-1", "chatcmpl-2"]
    assert "error" not in decided.stdout


def test_a_log_is_reported_as_if_it_had_been_observed(tmp_path):
    as_lines(tmp_path / "a.jsonl", [*(spend(k) for k in range(25)), spend(99, model="unheard-of")])
    (tmp_path / "s.yaml").write_text(SETTINGS)
    (tmp_path / "p.yaml").write_text(SMALL)
    ledger = tmp_path / "then.db"
    done = CliRunner().invoke(
        command,
        ["litellm-logs", str(tmp_path / "a.jsonl"), "--ledger", str(ledger), "--config", str(tmp_path / "s.yaml"), "--policy", str(tmp_path / "p.yaml")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "25 decisions" in done.output
    assert "1 calls not judged: unheard-of is no deployment" in done.output
    found = json.loads(CliRunner().invoke(report, ["--observe", "--ledger", str(ledger), "--json"]).stdout)
    assert found["observed"] == 25
    assert found["total"]["differ"]["value"] == 1.0
    assert found["total"]["paid_nano"] == 25 * (20 * 2 + 40 * 6) * 1000
    assert found["total"]["saved"]["value"] > 0.5
    assert b"capital of France" not in ledger.read_bytes()


def test_nothing_is_overwritten_and_nothing_is_written_where_a_row_is_bad(tmp_path):
    as_lines(tmp_path / "a.jsonl", [spend(1), spend(1)])
    out = tmp_path / "rows.jsonl"
    done = CliRunner().invoke(command, ["litellm-logs", str(tmp_path / "a.jsonl"), "--out", str(out)])
    assert (done.exit_code, out.exists()) == (2, False)
    out.write_text("mine")
    done = CliRunner().invoke(command, ["bedrock-logs", str(tmp_path / "a.jsonl"), "--out", str(out)])
    assert (done.exit_code, out.read_text()) == (2, "mine")
