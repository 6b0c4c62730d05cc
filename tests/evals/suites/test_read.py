"""Published protocols are read strictly, and every one that ships fits together."""

import pytest

from evals.suites.protocol import Protocol
from evals.suites.read import FOLDER, find, load, names
from policies.mistakes import Mistakes

GOOD = """\
suite: ours
about: A suite of a test.
command: {module: evals.routing, only: [families]}
importers: [zeroeval]
rows: [train, valid]
split: {by: stem, folds: 5}
metrics: [APGR]
baselines: [random]
expect:
  - {target: a family, metric: APGR, expected: 0.6, higher: true}
"""


@pytest.fixture
def load_text(tmp_path):
    def read(text):
        path = tmp_path / "ours.yaml"
        path.write_text(text, "utf-8")
        return load(path)

    return read


def test_a_suite_says_what_is_measured(load_text):
    suite = load_text(GOOD)
    assert isinstance(suite, Protocol)
    assert (suite.suite, suite.command.only, suite.split.folds) == ("ours", ("families",), 5)
    assert suite.expect[0].expected == 0.6


@pytest.mark.parametrize("name", names())
def test_every_suite_that_ships_reads_and_is_named_like_its_file(name):
    assert load(FOLDER / f"{name}.yaml").suite == name


def test_a_name_that_is_no_suite_is_refused_with_what_was_meant():
    with pytest.raises(Mistakes, match="did you mean 'routing-families'"):
        find("routing-familes")
    assert find("routing-families") == FOLDER / "routing-families.yaml"
    assert str(find("ours.yaml")) == "ours.yaml"


def test_the_protocols_of_the_router_are_all_there():
    assert set(names()) >= {
        "routing-routellm", "routing-subjects-out", "routing-elsewhere", "routing-families", "routing-haerae",
        "routing-korean", "routing-robustness", "routing-own-traffic", "routing-cascade", "routing-direction",
    }  # fmt: skip


def test_all_mistakes_come_at_once_with_their_places(load_text):
    bad = GOOD.replace("by: stem", "by: colour").replace("[zeroeval]", "[zeroevil]").replace("about:", "abuot:")
    with pytest.raises(Mistakes) as caught:
        load_text(bad)
    lines = str(caught.value).splitlines()
    assert any(":2:1: " in line and "abuot" in line for line in lines)
    assert any(":6:" in line and "split.by" in line for line in lines)


def test_an_importer_that_does_not_exist_is_named_with_those_that_do(load_text):
    with pytest.raises(Mistakes, match=r":4:13: importers\[0\]: no importer 'zeroevil'.*zeroeval"):
        load_text(GOOD.replace("[zeroeval]", "[zeroevil]"))


def test_an_expectation_of_a_metric_that_is_not_measured_is_refused(load_text):
    with pytest.raises(Mistakes, match=r"expect\[0\]\.metric: 'AUC' is not among metrics"):
        load_text(GOOD.replace("metric: APGR", "metric: AUC"))


def test_an_expectation_must_say_something(load_text):
    with pytest.raises(Mistakes, match="give expected, or a note"):
        load_text(GOOD.replace("expected: 0.6, ", ""))


def test_a_module_outside_the_evaluations_is_refused(load_text):
    with pytest.raises(Mistakes, match=r"command\.module"):
        load_text(GOOD.replace("evals.routing", "os.path"))
