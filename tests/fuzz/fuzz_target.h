// The readers of bytes from strangers, each as a function that takes any bytes and must neither
// crash nor break a promise of its header. libFuzzer drives them (`make fuzz`), and fuzz_test with
// the same seeds (`make test`). A new reader gets a file TARGET_target.cc and a line in
// fuzz_target.cc and CMakeLists.txt.
#ifndef ETUDE_TESTS_FUZZ_FUZZ_TARGET_H_
#define ETUDE_TESTS_FUZZ_FUZZ_TARGET_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace etude {

struct FuzzTarget {
  std::string_view name;
  // Stops the process where a promise does not hold.
  void (*run)(std::string_view bytes) = nullptr;
  std::vector<std::string> (*seeds)() = nullptr;
};

extern const FuzzTarget kMidiTarget;
extern const FuzzTarget kNpyTarget;
extern const FuzzTarget kVocabTarget;

std::span<const FuzzTarget* const> FuzzTargets();
// Stops the process if there is none.
const FuzzTarget& FuzzTargetOf(std::string_view name);

}  // namespace etude

#endif  // ETUDE_TESTS_FUZZ_FUZZ_TARGET_H_
