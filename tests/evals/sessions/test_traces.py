"""Reading agents' trajectories, and replaying them."""

import json

import pytest

from evals.importers.agent_traces import KNOWN, TraceError, read_tau_bench
from evals.sessions import traces
from policies.load import load_policy
from router.core.decide import Fleet
from router.registry.references import reference_prices
from router.score import load
from router.types import TIER_NAMES, Deployment


def call(number, arguments="{}"):
    function = {"name": "look", "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
    }


RUN = [
    {"role": "system", "content": "Help travellers."},
    {"role": "user", "content": "Cancel the booking of my sister and tell me what it costs."},
    call(1),
    {"role": "tool", "tool_call_id": "c1", "content": "Error: no such booking"},
    call(2),
    {"role": "tool", "tool_call_id": "c2", "content": "Error: no such booking"},
    {"role": "assistant", "content": "I cannot find it. Is this the right number?"},
    {"role": "user", "content": "yes"},
    {"role": "assistant", "content": "Then it is cancelled."},
]


def file_of(path, *rewards, name="own.json", run=RUN):
    rows = [{"task_id": i // 2, "trial": i % 2, "reward": reward, "traj": run} for i, reward in enumerate(rewards)]
    (path / name).write_text(json.dumps(rows))
    return path / name


def test_a_run_becomes_the_requests_a_gateway_would_have_seen(tmp_path):
    trace, other = read_tau_bench(file_of(tmp_path, 0.0, 1.0))
    assert (trace.id, other.id, trace.reward) == ("own:0:0", "own:0:1", 0.0)
    turns = list(trace.turns())
    assert [len(t) for t in turns] == [2, 4, 6, 8]
    assert [t[-1]["role"] for t in turns] == ["user", "tool", "tool", "user"]


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "cannot be read"), ("{}", "a JSON list"), ("[]", "a JSON list"), ('[{"traj": []}]', "run 0 lacks"),
     ('[{"task_id": 1, "trial": 0, "reward": 0.5, "traj": [{"role": "user"}]}]', "neither 0 nor 1"),
     ('[{"task_id": 1, "trial": 0, "reward": 1, "traj": [{"role": "bot"}]}]', "role ['bot']")],
)  # fmt: skip
def test_what_is_not_such_a_file_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(TraceError, match=r"bad\.json") as told:
        read_tau_bench(path)
    assert words in str(told.value)


def test_a_file_of_a_known_name_must_hold_what_it_is_known_for(tmp_path):
    path = file_of(tmp_path, 1.0, name=next(iter(KNOWN)))
    with pytest.raises(TraceError, match="1 runs, 4 calls"):
        read_tau_bench(path)
    assert len(read_tau_bench(path, known=False)) == 1


def test_a_replay_reads_trouble_and_never_goes_below_it(tmp_path):
    (tmp_path / "p.yaml").write_text("stillhouse: 1\nname: p\nquality: {keep: 0.9}\n")
    policy = load_policy(tmp_path / "p.yaml")
    fleet = Fleet(
        tuple(Deployment(name=t, tier=t, model=t, upstream="u") for t in TIER_NAMES), reference_prices("generic")
    )
    runs = read_tau_bench(file_of(tmp_path, 0.0, 1.0, 0.0, 0.0))
    replayed = [traces.replay(run, policy, load(), fleet) for run in runs]
    assert [s.talk.failures for s in replayed[0]] == [0, 1, 2, 0]
    assert replayed[0][3].talk.bare
    kept = {(r["direction"], r["decided"]): (r["kept"], r["of"]) for r in traces.directions(replayed)}
    assert all(kept[name, "held"] == (8, 8) for name, _ in kept if "failing" in name)
    rows = {row["sign"]: row for row in traces.associations(runs, replayed)}
    assert (rows["a tool failed"]["runs_with"], rows["a tool failed"]["bad_with"]) == (4, 0.75)
    assert rows["a tool failed"]["difference"] is None
    assert rows["the same call again"]["runs_with"] == 4
    assert (
        traces.switches(replayed)["held"]["switches_per_run"] <= traces.switches(replayed)["alone"]["switches_per_run"]
    )
