#include <gtest/gtest.h>

#include <string>

#include "lib/base/file.h"
#include "lib/base/random.h"
#include "lib/scaling/plan.h"
#include "tests/unit/scaling/builders.h"

namespace etude {
namespace {

std::string FirstSpec() { return ReadFile("configs/sweeps/first.toml").value(); }

// Parses and, where that works, plans: whatever the text, the answer is a plan or an error.
void Digest(const std::string& text) {
  const ParseResult result = CheckSweepSpec(text, "f.toml");
  ASSERT_NE(result.spec.has_value(), !result.errors.empty());
  for (const SpecDiagnostic& error : result.errors) {
    ASSERT_GE(error.at.line, 1);
    ASSERT_FALSE(error.Text().empty());
  }
  if (!result.spec) return;
  const auto plan = PlanSweep(*result.spec, MakeCorpus(), PlanOptions());
  ASSERT_TRUE(!plan.ok() || !plan->runs.empty());
}

TEST(SpecFuzzTest, EveryPrefixIsParsedOrRefused) {
  const std::string text = FirstSpec();
  for (std::size_t size = 0; size <= text.size(); ++size) Digest(text.substr(0, size));
}

TEST(SpecFuzzTest, MutatedBytesAreParsedOrRefused) {
  const std::string original = FirstSpec();
  const CounterRandom random(20261123, RandomStream::kSampling);
  std::uint64_t draw = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = original;
    const std::uint64_t edits = 1 + random.Below(draw++, 4);
    for (std::uint64_t i = 0; i < edits; ++i) {
      const std::size_t at = random.Below(draw++, text.size());
      const char byte = static_cast<char>(random.Below(draw++, 256));
      const std::uint64_t kind = random.Below(draw++, 3);
      if (kind == 0) text[at] = byte;
      if (kind == 1) text.insert(at, 1, byte);
      if (kind == 2) text.erase(at, 1);
    }
    Digest(text);
  }
}

}  // namespace
}  // namespace etude
