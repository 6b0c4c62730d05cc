"""``python -m stillhouse.cli``: the command where its script is not on the path."""

from stillhouse.cli.main import main

main()
