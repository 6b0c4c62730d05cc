# Two commands do everything: `make run` and `make test`. Each builds an environment of its own from a
# lock file with hashes; nothing is compiled, and after the install nothing needs the network.
PYTHON ?= python3
ARGS ?=
PYTORCH ?= https://download.pytorch.org/whl/cpu
PIP = -m pip --disable-pip-version-check install --quiet
LOCKED = --require-hashes --no-deps --only-binary :all: -r

.PHONY: run test clients lint bench distill-demo clean
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

distill-demo: .venv-test/ready .venv-distill/ready   ## the distillation loop on real models, start to end
	.venv-test/bin/python -m evals.distill.demo $(ARGS)

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

# Apart, for what teaches a local model is larger than all the rest. PyTorch without CUDA is on PyTorch's own index (for
# Linux; elsewhere PyPI's build has none), unless pip knows another place that has it. Most of it is never imported:
# what is, Python compiles then.
.venv-distill/ready: requirements-distill.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Stillhouse needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv-distill
	.venv-distill/bin/python $(PIP) --no-compile $(LOCKED) requirements-distill.lock 2> /dev/null || \
	    .venv-distill/bin/python $(PIP) --no-compile $(LOCKED) requirements-distill.lock --extra-index-url $(PYTORCH)
	.venv-distill/bin/python -c 'import gguf, peft, tokenizers, torch, transformers'
	touch $@

clean:                    ## remove all environments
	rm -rf .venv .venv-test .venv-distill .clients
