# SPDX-License-Identifier: BSD-3-Clause
# A thin front to meson and tools/. `make help` lists the targets.
PYTHON = /usr/bin/python3
BUILD  = build
FUZZ_SECONDS      = 60
FUZZ_LONG_SECONDS = 1200
CHAOS_SECONDS     = 1800

help:
	@echo 'make run        build, then serve two demonstration disks on 127.0.0.1:3260'
	@echo 'make build      build into $(BUILD)/ (release, unless it was set up otherwise)'
	@echo 'make install    install what is in $(BUILD)/ (DESTDIR= is obeyed)'
	@echo 'make test       every variant, every test, all checks; about a quarter of an hour'
	@echo 'make test-tsan  the tests of several threads under the thread sanitizer'
	@echo 'make test-robust  floods of garbage, half logins and readers that never read'
	@echo 'make chaos      verified I/O through a network that drops, doubles, turns and cuts, $(CHAOS_SECONDS) s'
	@echo 'make test-vm    the tests with a Linux initiator in a virtual machine'
	@echo 'make lint       style, layers, clang-tidy'
	@echo 'make format     lay out the C sources by clang-format'
	@echo 'make bench      measure beside other targets'
	@echo 'make fuzz       every fuzz target for $(FUZZ_SECONDS) s; make fuzz-long: $(FUZZ_LONG_SECONDS) s'

set-up: deps-build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) -Dbuildtype=release

build: set-up
	@ninja -C $(BUILD)

deps-%:
	@tools/deps.sh $*

run: set-up
	@ninja -C $(BUILD) src/daemon/uliod src/cli/ulio
	@exec $(BUILD)/src/daemon/uliod --demo

install: build
	meson install -C $(BUILD) --no-rebuild

test: deps-build
	@$(PYTHON) tools/run-tests.py

test-tsan: deps-build
	@$(PYTHON) tools/run-tests.py --only build-tsan,tsan

test-robust: deps-build
	@$(PYTHON) tools/run-tests.py --only build-release,robust

chaos: build deps-test
	@ULIO_BUILD=$(BUILD) $(PYTHON) tests/chaos/run.py --seconds $(CHAOS_SECONDS)

test-vm: deps-build
	@$(PYTHON) tools/run-tests.py --only build-release,vm

lint: deps-build
	@$(PYTHON) tools/run-tests.py --only layers,format,man,tidy,lint

format: deps-lint
	@clang-format -i $$(git ls-files '*.c' '*.h')

bench: build deps-bench
	@$(PYTHON) bench/run.py

build-fuzz: deps-build deps-fuzz
	@$(PYTHON) tools/run-tests.py --no-deps --only build-fuzz

fuzz: build-fuzz
	@$(PYTHON) tools/fuzz.py --build build-fuzz --seconds $(FUZZ_SECONDS)

fuzz-long: build-fuzz
	@$(PYTHON) tools/fuzz.py --build build-fuzz --seconds $(FUZZ_LONG_SECONDS)

.PHONY: help set-up build run install test test-tsan test-robust chaos test-vm lint format bench build-fuzz fuzz fuzz-long
