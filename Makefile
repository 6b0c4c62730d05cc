# Two commands do everything: `make run` and `make test`. Each builds an environment of its own from a
# lock file with hashes; nothing is compiled, and after the install nothing needs the network.
PYTHON ?= python3
ARGS ?=
PIP = -m pip --disable-pip-version-check install --quiet
LOCKED = --require-hashes --no-deps --only-binary :all: -r

.PHONY: run test clients lint bench clean
.DEFAULT_GOAL := run

run: .venv/ready          ## install, then start the gateway with the embedded model
	.venv/bin/stillhouse serve $(ARGS)

test: .venv-test/ready    ## install everything, then run all tests
	.venv-test/bin/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

clients:                  ## environments of clients that cannot share ours (openai-python 3, Node)
	.ci/clients

lint: .venv-test/ready    ## ruff, mypy, the layers
	.venv-test/bin/ruff check .
	.venv-test/bin/mypy
	.venv-test/bin/lint-imports

bench: .venv-test/ready   ## CPU a request, side by side with the floor and LiteLLM
	.venv-test/bin/python -m evals.bench $(ARGS)

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stillhouse needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv
	.venv/bin/python $(PIP) $(LOCKED) requirements.lock
	.venv/bin/python $(PIP) --no-deps --no-build-isolation .
	touch $@

.venv-test/ready: requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stillhouse needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python $(PIP) $(LOCKED) requirements-dev.lock
	.venv-test/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	touch $@

clean:                    ## remove both environments
	rm -rf .venv .venv-test .clients
