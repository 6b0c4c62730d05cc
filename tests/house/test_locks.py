"""What is locked is known, has hashes, and is none of what is known to be bad."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HASH = "--hash=sha256:" + "a" * 64
GOOD = f"# made by a tool\none==1.0 ; python_version < '4' \\\n    {HASH} \\\n    --hash=sha256:{'b' * 64}\nTwo_x==2 {HASH}\n"


def sbom(*args):
    command = [sys.executable, ".ci/sbom", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_lock_files_hold_nothing_known_to_be_bad_and_a_hash_for_everything():
    files = [*ROOT.glob("requirements*.lock"), *ROOT.glob("tests/clients/*/requirements*.lock")]
    done = sbom("--check", *files)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_bill_names_every_distribution_of_the_lock_with_its_hashes():
    lock = ROOT / "requirements.lock"
    bill = json.loads(sbom(lock).stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    locked = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", lock.read_text())
    assert [(part["name"], part["version"]) for part in bill["components"]] == sorted(locked)
    hashes = [h["content"] for part in bill["components"] for ref in part["externalReferences"] for h in ref["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"sha256:([0-9a-f]{64})", lock.read_text()))
    assert sbom(lock).stdout == sbom(lock).stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("one==1.0", "litellm==1.82.7"), ":2: litellm 1.82.7 is known to be malicious"),
        (GOOD.replace("Two_x==2", "LiteLLM==1.82.8"), ":5: litellm 1.82.8 is known to be malicious"),
        (GOOD.replace(f"Two_x==2 {HASH}", "two==2"), ":5: two 2 has no hash"),
        (GOOD + "three>=1\n", ":6: no distribution with a version"),
        (GOOD + "git+https://example.org/x\n", "no distribution with a version"),
        ("", "no distribution stands in it"),
    ],
)
def test_a_lock_that_may_not_be_is_refused_by_its_line(tmp_path, text, words):
    (tmp_path / "some.lock").write_text(text)
    done = sbom("--check", tmp_path / "some.lock")
    assert done.returncode == 1
    assert words in done.stderr
    (tmp_path / "some.lock").write_text(GOOD)
    assert sbom("--check", tmp_path / "some.lock").returncode == 0
