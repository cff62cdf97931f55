// fuzz_seeds DIR: writes every target's seeds to DIR/TARGET/NUMBER.
#include <cstdio>
#include <string>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/fuzz/fuzz_target.h"

namespace etude {
namespace {

absl::Status WriteSeeds(const std::string& dir) {
  for (const FuzzTarget* target : FuzzTargets()) {
    const std::string folder = dir + "/" + std::string(target->name);
    RETURN_IF_ERROR(MakeDirectories(folder));
    int number = 0;
    for (const std::string& seed : target->seeds()) {
      RETURN_IF_ERROR(WriteFileAtomically(folder + "/" + std::to_string(number++), seed));
    }
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace etude

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("fuzz_seeds: one directory, please\n", stderr);
    return 2;
  }
  const absl::Status written = etude::WriteSeeds(argv[1]);
  if (written.ok()) return 0;
  std::fprintf(stderr, "fuzz_seeds: %s\n", etude::MessageOf(written).c_str());
  return 1;
}
