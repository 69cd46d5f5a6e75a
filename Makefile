# `make demo` and `make test` set up all they need in .venv and run; nothing else has to be installed first
# but Python 3.11 or later (choose one with PYTHON=python3.12).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: openstack demo demo-alerts demo-fleet test unit browser pool-packages pool-image versions chaos lint types imports docs bench clean

demo: $(VENV)/.demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/01-nowcast/demo.sh $(DEMO)

# The same storm passes again, and who is near it is told: new, updated, all clear.
demo-alerts: $(VENV)/.demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/04-alerts/demo.sh demo-alerts

# Storms come to a pool without a worker: some are bought (containers), and let go again.
demo-fleet: pool-image
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/06-fleet/demo.sh demo-fleet

test: lint types imports docs unit

unit: $(VENV)/.dev browser pool-image
	tests/run.sh $(BIN)/pytest

# What the map of a run looks like is tested in a real browser; Debian's is installed where there is none and we may.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
	    fonts-dejavu-core >/dev/null; } || echo "!!! no chromium on this machine: the tests of the map will fail"

# A pool in containers is tested for real: Docker and debootstrap are installed where they are missing and we may, and
# the daemon is started where none runs. Then the image is built, which takes minutes only the first time.
pool-packages:
	@command -v dockerd >/dev/null && command -v docker >/dev/null && command -v debootstrap >/dev/null || \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io \
	    cgroupfs-mount debootstrap >/dev/null; } || echo "!!! no Docker on this machine: the tests of the pool will fail"
	@docker info >/dev/null 2>&1 || { setsid dockerd >/tmp/dockerd.log 2>&1 </dev/null & \
	  for _ in $$(seq 60); do docker info >/dev/null 2>&1 && break; sleep 0.5; done; }; \
	  docker info >/dev/null 2>&1 || echo "!!! Docker does not run on this machine (/tmp/dockerd.log says why)"

pool-image: $(VENV)/.dev pool-packages
	$(BIN)/dynamo pool build
	$(BIN)/dynamo image build

# The tests under the other Pythons that are supported, in an environment of its own for each.
PYTHONS ?= python3.12 python3.13
versions:
	@for python in $(PYTHONS); do \
	  if $$python -c '' 2>/dev/null; then \
	    $(MAKE) unit PYTHON=$$python VENV=.venv-$$(basename $$python) || exit 1; \
	  else echo "!!! no $$python on this machine: not tested with it"; fi; done

chaos: $(VENV)/.dev
	$(BIN)/pytest -m chaos

# The driver `openstack` on Debian's own Keystone, Nova, Neutron and Glance, in a container: ten minutes, by hand.
openstack: $(VENV)/.dev pool-image
	docker build --network host --tag dynamo-openstack tests/openstack
	docker rm --force dynamo-openstack 2>/dev/null || true
	docker run --detach --name dynamo-openstack dynamo-openstack sleep infinity
	docker exec dynamo-openstack bash /root/up.sh
	$(BIN)/python tests/openstack/try.py dynamo-openstack
	docker rm --force dynamo-openstack

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not follow the mapping of workflows/ to dynamo.workflows in an editable install, so it is the
# built wheel that is checked.
types: $(VENV)/.dev
	rm -rf build dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist . >/dev/null
	$(BIN)/pip install --quiet --no-deps --no-index --upgrade --target build/wheel dist/*.whl
	cd build/wheel && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml -p dynamo

imports: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Peers go into an environment of their own; one that cannot be installed is named in the tables.
bench: $(VENV)/.dev .venv-bench/.peers
	$(BIN)/python benchmarks/all.py $(BENCH)

.venv-bench/.peers: benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement $< || \
	  grep -v '^#' $< | while read -r peer; do \
	    .venv-bench/bin/pip install --quiet "$$peer" || echo "!!! peer cannot be installed: $$peer"; done
	.venv-bench/bin/pip install --quiet --editable . || echo "!!! dynamo cannot be installed beside its peers"
	@touch $@

clean:
	rm -rf $(VENV) .venv-* build dist site $(DEMO) demo-alerts demo-fleet

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dynamo needs Python 3.11 or later; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,dev,docs]'
	@touch $@ $(VENV)/.demo
