"""What litellm is told of a caller's request: nothing that steers it."""

import json

import pytest

from router.errors import UpstreamRejected
from router.upstream.errormap import error_of, error_of_event
from router.upstream.litellm import _fields

HI = [{"role": "user", "content": "hi"}]


def body(**more):
    return json.dumps({"model": "m", "messages": HI, **more}).encode()


@pytest.mark.parametrize(
    "name",
    [
        "api_base", "base_url", "api_key", "extra_headers", "headers", "custom_llm_provider", "fallbacks", "model_list",
        "mock_response", "aws_secret_access_key", "vertex_credentials", "azure_ad_token", "organization", "proxy",
        "logger_fn", "extra_body", "timeout", "max_retries", "client", "callbacks", "deployment_id",
    ],
)  # fmt: skip
def test_no_setting_of_litellms_comes_from_a_caller(name):
    with pytest.raises(UpstreamRejected) as refused:
        _fields(body(**{name: "http://evil.example"}))
    assert (refused.value.code, refused.value.param, refused.value.status) == ("unsupported_parameter", name, 400)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}},
        {"type": "image_url", "image_url": " HTTPS://evil.example"},
        {"type": "file", "file": {"file_id": "https://evil.example"}},
        {"type": "video_url", "video_url": {"url": ["file:///etc/passwd"]}},
        {"type": "file", "file": {"file_data": "gs://bucket/x"}},
    ],
)
def test_no_address_reaches_it_for_it_would_fetch_some(part):
    with pytest.raises(UpstreamRejected, match="data URL"):
        _fields(body(messages=[{"role": "user", "content": [part]}]))


def test_texts_and_data_travel():
    content = [
        {"type": "text", "text": "http://example.org says"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
    ]
    fields = _fields(body(messages=[{"role": "user", "content": content}], temperature=0, metadata={"a": "b"}))
    assert fields == {"model": "m", "messages": [{"role": "user", "content": content}], "temperature": 0}


@pytest.mark.parametrize("status", [400, 404, 429])
def test_what_a_server_says_of_its_account_stays_here(status):
    words = "Limit of org-AbCdEf123456 for sk-proj-abc*****xyz9 (Bearer tok.en-1) at 9"
    said = json.dumps({"error": {"message": words, "code": "a whole prompt in a code"}}).encode()
    error = error_of(status, "application/json", said)
    assert error.message == "Limit of … for … (… at 9"
    assert " " not in error.code
    assert error_of_event(json.dumps({"error": {"code": "a prompt", "message": "x"}}).encode()).code
