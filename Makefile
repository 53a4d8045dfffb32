# The commands of the README. Building alone needs none of this: cmake --preset release && cmake --build --preset release

PYTHON ?= /usr/bin/python3
FUZZ_SECONDS ?= 60
SOAK_MINUTES ?= 30
SOAK_ROTATIONS ?= 360
PRESET ?= dev

.PHONY: demo check test build package pictures bench soak fuzz lint format deps clean

demo:                   ## A primary, two replicas and pgweir on loopback. DEMO_ONCE=1 ends after the workload; DATABASE_URL=… uses that server.
	@tests/harness/install-deps.sh demo
	@cmake --preset release
	@cmake --build --preset release --target pgweir -- --quiet
	@PGWEIR_BIN=build/release/pgweir $(PYTHON) deploy/demo/demo.py

check:                  ## Everything, with sanitizers. The last line counts passed, failed and skipped.
	@tests/harness/install-deps.sh check
	@$(PYTHON) tests/harness/check.py

build:                  ## PRESET=dev|asan|tsan|release|fuzz|coverage
	@cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET) -- --quiet

package:                ## A Debian package in build/package
	@tests/harness/install-deps.sh demo
	@cmake -S . -B build/package -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DPGWEIR_PACKAGE=ON
	@cmake --build build/package --target pgweir
	@cd build/package && cpack -G DEB && ls -l *.deb

pictures: PRESET = release
pictures: build         ## The status page during a failover and a rotation, at two widths, light and dark, in build/pictures
	@tests/harness/install-deps.sh check
	@PGWEIR_BIN=build/release/pgweir $(PYTHON) tests/harness/pictures.py build/pictures

test:                   ## Some tests on what is built: make test T="tests/system/test_cancel.py -k stale"
	@$(PYTHON) -m pytest -p no:cacheprovider --tb=short -rs $(or $(T),tests/system tests/wire tests/differential)

bench: PRESET = release
bench: build            ## pgweir, PgBouncer and a bare relay side by side
	@tests/harness/install-deps.sh check
	@$(PYTHON) bench/run.py $(BENCH_ARGS)

soak: PRESET = release
soak: build             ## Load, kills, restarts and reloads for SOAK_MINUTES; as long reads behind writes; then SOAK_ROTATIONS
	@tests/harness/install-deps.sh check
	@SOAK_MINUTES=$(SOAK_MINUTES) $(PYTHON) tests/harness/soak.py
	@SOAK_MINUTES=$(SOAK_MINUTES) $(PYTHON) tests/harness/read_your_writes.py
	@SOAK_ROTATIONS=$(SOAK_ROTATIONS) $(PYTHON) tests/harness/soak_rotations.py

fuzz: PRESET = fuzz
fuzz: build             ## Each fuzz target for FUZZ_SECONDS
	@tests/harness/fuzz.sh $(FUZZ_SECONDS)

lint:                   ## The house rules
	@$(PYTHON) tests/lint/lint.py

format:                 ## clang-format over the lines that are changed and not committed (.clang-format says why not over all)
	@git clang-format --force --extensions c,h

deps:                   ## What demo and check install first
	@tests/harness/install-deps.sh check

clean:
	@rm -rf build
