"""A few real LoRA steps on the built-in model: killed, gone on with, merged, served by the embedded engine."""

import json
import os
import random
import signal
import subprocess
import sys

import msgspec
import pytest

from evals.distill.folder import Folder
from evals.distill.trainers.base import TrainingError
from evals.distill.trainers.gguf_check import check_loads, check_vocabulary
from evals.distill.trainers.local import base_at, python_with_torch
from evals.distill.training import finished
from tests.evals.distill import made

STEPS = 3
WORDS = ["--trainer", "local", "--recipe", f"most_steps={STEPS}", "--recipe", "every=1", "--recipe", "batch=2",
         "--recipe", "layers=0.1", "--recipe", "longest=128", "--recipe", "rate=0.01"]  # fmt: skip


@pytest.fixture
def folder(home):
    try:
        python_with_torch()
    except TrainingError as error:
        pytest.skip(str(error))
    folder = Folder.of(home, "loop")
    folder.root.mkdir(parents=True)
    rng = random.Random(3)
    made.write(folder.train, [made.row(made.text(rng, "refund", words=6)) for _ in range(60)])
    made.write(folder.holdout, [])
    made.write(folder.general, [])
    return folder


def begin(home):
    words = [sys.executable, "-m", "stillhouse.cli", "distill", "train", "loop", *WORDS, "--json"]
    env = os.environ | {"STILLHOUSE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        words, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.local_model
def test_a_killed_training_goes_on_and_its_student_is_served(folder, home):
    with begin(home) as killed:
        for line in killed.stderr:
            if line.startswith("step 2"):
                break
        os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
    (out,) = (folder.root / "students").iterdir()
    assert (out / "checkpoint.pt").exists()
    assert not (out / "student.json").exists()

    with begin(home) as again:
        told, said = again.communicate()
    assert again.returncode == 0, said
    steps = [line.split()[1] for line in said.splitlines() if line.startswith("step ")]
    assert steps in (["2", "3"], ["3"])  # the first was kept before the second was told of
    student = finished(out)
    assert json.loads(told)["digest"] == out.name
    assert [step for step, _ in student.losses] == [1, 2, 3]
    assert student.losses[-1][1] < student.losses[0][1]
    assert not (out / "checkpoint.pt").exists()
    assert msgspec.json.decode((out / "asked.json").read_bytes())["trainer"] == "local"
    check_vocabulary(out / student.weights, base_at("built-in"))
    check_loads(out / student.weights)
