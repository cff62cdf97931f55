// One target under libFuzzer; ETUDE_FUZZ_TARGET names it.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const etude::FuzzTarget& target = etude::FuzzTargetOf(ETUDE_FUZZ_TARGET);
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
