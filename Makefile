# No build logic here: every target is deploy/setup, a CMake preset or a CTest preset.
.PHONY: build setup demo test lint sanitize soak fuzz fuzz-short bench package clean

# Simulated worlds of `make soak`: their number, or FROM-TO.
SEEDS ?= 20000
# Seconds that `make fuzz` gives each reader.
FUZZ_SECONDS ?= 60

build: setup
	cmake --preset default
	cmake --build --preset programs

setup:
	@deploy/setup

demo: build
	@deploy/demo

test: setup
	cmake --preset default
	cmake --build --preset default
	ctest --preset test

lint: setup
	cmake --preset default
	cmake --build --preset lint
	ctest --preset lint

sanitize: setup
	cmake --preset address
	cmake --build --preset address
	ctest --preset address
	cmake --preset thread
	cmake --build --preset thread
	ctest --preset thread

soak: setup
	cmake --preset default
	cmake --build --preset soak
	ctest --preset soak
	ETUDE_SIM_SEEDS=$(SEEDS) build/tests/sim_test
	tests/sim/run_mutants

fuzz: setup
	cmake --preset fuzz
	cmake --build --preset fuzz
	tests/fuzz/run_fuzz $(FUZZ_SECONDS)

fuzz-short:
	@$(MAKE) fuzz FUZZ_SECONDS=10

bench: build
	cmake -E make_directory build/bench
	for bench in ingest dispatch submit fleet recover query; do \
	  build/bin/etude-bench $$bench --scale full -o json > build/bench/$$bench.json || exit 1; done
	build/bin/etude-bench music -o json > build/bench/music.json
	tests/bench/study_bench --scale full -o json > build/bench/study.json

package: build
	cmake -E rm -rf build/packages
	cpack --config build/CPackConfig.cmake
	@tests/package/check_package build/packages

clean:
	cmake -E rm -rf build
