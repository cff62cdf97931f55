# No build logic here: every target is deploy/setup, a CMake preset or a CTest preset.
.PHONY: build setup demo test lint sanitize package clean

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

package: build
	cmake -E rm -rf build/packages
	cpack --config build/CPackConfig.cmake
	@tests/package/check_package build/packages

clean:
	cmake -E rm -rf build
