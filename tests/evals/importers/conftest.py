"""Clones in miniature: small files written for these tests, each in its source's form."""

import csv
import json

import pytest


@pytest.fixture
def words():
    """A counter that needs no tokenizer."""
    return lambda text: len(text.split())


@pytest.fixture
def put(tmp_path):
    """Write a file of the clone: text as it is, lists of dicts as CSV or JSON Lines by the name, else JSON."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        elif name.endswith(".csv"):
            with path.open("w", newline="", encoding="utf-8") as stream:
                table = csv.DictWriter(stream, list(content[0]))
                table.writeheader()
                table.writerows(content)
        elif name.endswith(".jsonl"):
            path.write_text("".join(json.dumps(item) + "\n" for item in content), "utf-8")
        else:
            path.write_text(json.dumps(content), "utf-8")
        return path

    return write
