import argparse
import itertools
import json
import sys
from xml.etree import ElementTree as ET

import pytest

from evals.bench import meter, payload, report, soak, streams
from evals.bench.__main__ import main
from evals.bench.flame import svg
from evals.bench.gaps import Reader, Seen
from evals.bench.load import Tally, percentile, questions_of, request_of, summary
from evals.bench.measure import Plan, bench
from evals.bench.peers import HERE, PEERS, Launch, NotHere, configure
from evals.bench.process import Unfit, ask, free_port, spawn, start, stop
from evals.bench.sizes import conversation, line, prompt

PHASES = ("whole", "whole_paced", "paused", "stream", "stream_paced")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """One quick run: its exit code and its folder."""
    out = tmp_path_factory.mktemp("bench")
    return main(["--quick", "--out", str(out)]), out


def test_a_quick_run_gives_a_whole_result(quick):
    code, out = quick
    made = json.loads((out / "bench.json").read_text())
    assert code == 0
    assert made["figures"]["floor"]["errors"] == 0
    assert made["figures"]["floor"]["cpu_us"] > 0
    assert made["figures"]["floor"]["memory_idle_mb"] > 0
    assert made["ratio_to_floor"]["floor"] == dict.fromkeys(
        ("cpu_us", "rps", "cpu_us_stream", "memory_after_mb", "cold_s"), 1.0
    )
    assert made["ratio_to_litellm"] == {}
    assert all(made["raw"]["peers"]["floor"]["repetitions"][0][phase]["ok"] > 0 for phase in PHASES)
    assert {"date", "commit", "machine", "load_average", "versions"} <= made.keys()


def test_every_chunk_of_a_stream_is_counted(quick):
    made = json.loads((quick[1] / "bench.json").read_text())
    stream = made["raw"]["peers"]["floor"]["repetitions"][0]["stream"]
    assert stream["events"] == stream["ok"] * len(payload.events(usage=False))


def test_the_page_begins_with_the_caveats(quick):
    page = (quick[1] / "bench.md").read_text()
    assert page.index(report.CAVEATS[0]) < page.index("| floor |")


def test_an_unknown_peer_is_refused_by_name(capsys):
    with pytest.raises(SystemExit):
        main(["--peers", "floor,nobody"])
    assert "no such peer: nobody; there are floor" in capsys.readouterr().err


def test_the_body_is_that_of_the_comparison():
    assert 230 <= len(payload.question(payload.MODEL)) <= 260
    assert 460 <= len(payload.answer()) <= 500
    assert len(payload.events(usage=True)) == payload.CHUNKS + 3


def test_the_texts_of_stream_and_answer_are_one():
    assert payload.fault_of(payload.answer(), stream=False) is None
    assert payload.fault_of(b"".join(payload.events(usage=True)), stream=True) is None


@pytest.mark.parametrize(
    ("body", "stream", "fault"),
    [
        (b"<html>", False, "not a completion"),
        (b'{"choices": []}', False, "not a completion"),
        (payload.answer().replace(b"summer", b"winter"), False, "another text"),
        (b"".join(payload.events(usage=False)[3:]), True, "another text"),
        (b"".join(payload.events(usage=False)[:-1]), True, "without [DONE]"),
    ],
)
def test_a_wrong_answer_has_a_fault(body, stream, fault):
    assert fault in payload.fault_of(body, stream=stream)


def test_the_request_is_plain_http():
    made = request_of("http://127.0.0.1:80/v1/x", {"authorization": "Bearer k"}, b"{}")
    head, _, body = made.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:80\r\n")
    assert b"\r\nauthorization: Bearer k" in head
    assert (body, head.endswith(b"content-length: 2")) == (b"{}", True)


def test_no_two_questions_are_equal_and_all_are_as_long():
    questions = list(itertools.islice(questions_of(payload.question(payload.MODEL)), 100))
    assert len(set(questions)) == 100
    assert {len(question) for question in questions} == {len(payload.question(payload.MODEL))}
    assert all(json.loads(question)["messages"][1]["content"].startswith("Tell class ") for question in questions)


def test_words_count_in_letters():
    assert [payload.word(n) for n in (0, 27, 26**6)] == [b"aaaaaa", b"aaaabb", b"aaaaaa"]


def test_percentiles_are_milliseconds_of_what_came_back():
    assert percentile([], 0.5) is None
    assert percentile([3_000_000, 1_000_000, 2_000_000], 0.5) == 2.0
    assert percentile([1_000_000] * 99 + [9_000_000], 0.99) == 9.0


def test_bad_and_lost_answers_are_errors():
    seen = summary(Tally(whole=[1, 2, 3], bad=1, lost=2), seconds=2.0)
    assert (seen["ok"], seen["errors"], seen["rps"]) == (2, 3, 1.0)


def rounds(*cpu: float) -> list[dict]:
    phase = {
        "ok": 10, "errors": 0, "rps": 5.0, "p50_ms": 3.0, "p99_ms": 4.0,
        "ttft_p50_ms": 2.0, "ttft_p99_ms": None, "load_core_busy": 0.5,
    }  # fmt: skip
    return [{"load_average": 0.0} | {name: {**phase, "cpu_us": one} for name in PHASES} for one in cpu]


def test_figures_are_medians_and_ratios_to_the_floor_and_to_litellm():
    peer = {"what": "", "cold_s": [1.0, 3.0, 2.0], "memory_idle_mb": 1.0, "memory_after_mb": 2.0, "idle_cpu_share": 0.0}
    raw = {
        "upstream_alone": {"rps": 9.0},
        "direct": rounds(0, 0, 0),
        "peers": {
            "floor": {**peer, "repetitions": rounds(100, 120, 110)},
            "litellm": {**peer, "repetitions": rounds(9000, 8800, 11000)},
            "nginx": {"not_measured": "nginx is not on the PATH"},
        },
    }
    made = report.result(raw, {})
    floor = made["figures"]["floor"]
    assert (floor["cpu_us"], floor["cold_s"], floor["requests"]) == (110, 2.0, 150)
    assert floor["cpu_us_spread"] == pytest.approx(20 / 110)
    assert (floor["added_p50_ms"], floor["added_ttft_p99_ms"]) == (0.0, None)
    assert made["ratio_to_floor"]["litellm"]["cpu_us"] == pytest.approx(9000 / 110)
    assert made["ratio_to_litellm"]["floor"]["cpu_us"] == pytest.approx(110 / 9000)
    assert made["not_measured"] == {"nginx": "nginx is not on the PATH"}


def test_configurations_take_the_ports_of_the_run(tmp_path):
    text = configure(HERE / "nginx.conf", tmp_path, 1111, 2222).read_text()
    assert "server 127.0.0.1:2222;" in text
    assert "listen 127.0.0.1:1111;" in text
    assert "28600" not in text


def test_litellm_is_pinned_with_hashes_and_never_a_stolen_version():
    lines = [x for x in (HERE / "litellm.txt").read_text().splitlines() if not x.startswith("#")]
    assert all("==" in line and "--hash=sha256:" in line for line in lines)
    assert not any(line.startswith(("litellm==1.82.7", "litellm==1.82.8")) for line in lines)


def test_a_peer_that_is_not_installed_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotHere, match="--prepare"):
        PEERS["litellm"](tmp_path, 1, 2)
    with pytest.raises(NotHere, match="nginx is not on the PATH"):
        PEERS["nginx"](tmp_path, 1, 2)


def test_the_meter_sees_the_whole_tree(tmp_path):
    burn = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    process = spawn((sys.executable, "-c", burn), Plan().gateway_core, tmp_path / "log")
    try:
        while meter.cpu_seconds(process.pid) < 0.2:
            pass
        assert len(meter.processes(process.pid)) == 2
        assert meter.memory_mb(process.pid) > 1
    finally:
        stop(process)
    assert meter.processes(process.pid) == {}


def test_a_peer_that_ends_shows_its_last_words(tmp_path):
    launch = Launch((sys.executable, "-c", "raise SystemExit('no such setting')"), "")
    with pytest.raises(Unfit, match="ended with 1: no such setting"):
        start(launch, free_port(), Plan().gateway_core, tmp_path / "log")


def test_the_fake_upstream_streams_the_answer(tmp_path):
    with bench(Plan(), tmp_path, lambda _: None) as run:
        status, body = ask(run.alone, stream=True)
    assert status == 200
    assert payload.fault_of(body, stream=True) is None
    assert b'"usage"' not in body


def test_a_line_is_found_through_points_whatever_one_of_them_says():
    points = [(x, 500 + 0.02 * x) for x in (400, 4_000, 32_000, 128_000)]
    assert line([*points, (64_000, 90_000.0)]) == pytest.approx({"floor_us": 500, "us_per_kb": 20})


def test_an_agents_conversation_grows_at_its_end_only():
    bodies = [json.loads(body) for body in conversation("auto", 5, 1)]
    assert 30_000 < len(json.dumps(bodies[0]["tools"])) < 36_000
    assert all(
        later["messages"][: len(one["messages"])] == one["messages"] for one, later in itertools.pairwise(bodies)
    )
    assert all(body["tools"] == bodies[0]["tools"] for body in bodies)


def test_no_two_prompts_of_a_size_are_equal_and_all_are_as_long_as_said():
    bodies = [prompt("auto", 1000, seed) for seed in range(5)]
    assert len(set(bodies)) == 5
    assert all(4_000 <= len(body) <= 4_100 for body in bodies)


def test_a_flame_graph_shows_what_was_on_the_stack_and_nothing_of_the_machine():
    picture = svg(
        {("router/serve/http/front.py Front", "router/core/wire.py read"): 3, ("aiohttp/client.py send",): 1}, "t"
    )
    assert "router/core/wire.py read: 75.0%" in picture
    assert ">read<" in picture
    assert ET.fromstring(picture).tag.endswith("svg")


MADE = {
    "sent": {"whole": 7, "fails": 3},
    "odd": {},
    "states": [{"memory_mb": 80.0, "descriptors": 30, "threads": 7}] * 2,
    "ledger": {"rows": 12, "ids": 12, "cost_nano": 5, "attempts_cost_nano": 5, "tokens": 9, "outcomes": {}},
    "metrics": {
        "stillhouse_requests_total": 12.0,
        "stillhouse_cost_nanodollars_total": 5.0,
        "stillhouse_tokens_total": 9.0,
    },
}


def test_a_soak_without_faults_has_none():
    assert soak.faults(MADE) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"odd": {"whole: b''": 2}}, "2 answers were odd"),
        ({"sent": {"whole": 13}}, "13 requests sent, 12 counted, 12 ledger rows"),
        ({"ledger": {**MADE["ledger"], "ids": 11}}, "12 ledger rows with 11 ids"),
        ({"ledger": {**MADE["ledger"], "cost_nano": 6}}, "sums to 6 nano-dollars, the counters to 5"),
        ({"ledger": {**MADE["ledger"], "tokens": 8}}, "sums to 8 tokens"),
        ({"states": [MADE["states"][0], {**MADE["states"][0], "descriptors": 60}]}, "descriptors grew from 30 to 60"),
    ],
)
def test_a_soak_names_what_is_not_as_it_must_be(change, words):
    found = soak.faults({**MADE, **change})
    assert len(found) == 1
    assert words in found[0]


def test_a_small_soak_against_a_real_gateway_has_no_faults(tmp_path):
    assert soak.main(["--requests", "150", "--in-flight", "8", "--settle", "0.1", "--out", str(tmp_path)]) == 0
    made = json.loads((tmp_path / "soak.json").read_text())
    assert sum(made["sent"].values()) == 150
    assert made["ledger"]["rows"] >= 150


def test_many_streams_are_opened_and_every_chunk_is_timed(tmp_path):
    options = argparse.Namespace(
        streams=4, pace=0.02, seconds=0.3, posts=10.0, megabytes=0.3, peers="", lag=None, realtime=False
    )
    with bench(Plan(), tmp_path, lambda _: None) as run:
        rows = streams.measure(run, options)
    one = rows["direct"]
    assert (one["open"], one["lost"], one["fault"], one["posts"]["errors"]) == (4, 0, "", 0)
    assert one["posts"]["ok"] > 0
    assert one["calm"]["chunks"] > 4
    assert one["calm"]["late_p50_ms"] > 0
    made = streams.result({**rows, "stillhouse": one}, options, report.facts(Plan()))
    assert made["reached"] == (one["posting"]["gap_p99_ms"] <= streams.GOAL_MS)
    page = streams.page(made)
    assert page.index(streams.CAVEATS[0][:40]) < page.index("| direct | 4, 0 | calm |")


def test_a_gap_is_told_by_the_stamps_also_where_an_event_comes_in_two_parts():
    seen = Seen()
    reader = Reader(seen)
    events = [payload.stamped()[0] % (10**15 + at) for at in (0, 5_000_000)]
    reader.data_received(b"HTTP/1.1 200 OK\r\n\r\n" + events[0])
    reader.data_received(events[1][:40])
    reader.data_received(events[1][40:])
    assert (seen.begun, len(seen.gaps.late), len(seen.gaps.added)) == (1, 2, 1)
    assert seen.gaps.late[1] - seen.gaps.late[0] == seen.gaps.added[0]
