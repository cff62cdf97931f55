// Every fuzz target on its seeds, on what a fuzzer found once, and on mutations from a fixed seed.
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "lib/base/file.h"
#include "tests/fuzz/fuzz_target.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr int kMutations = 20'000;
constexpr std::size_t kMaxBytes = 20'000;
constexpr char kFound[] = "tests/fuzz/found";  // TARGET/NAME, kept from runs of `make fuzz`

class FuzzTest : public testing::TestWithParam<const FuzzTarget*> {};

TEST_P(FuzzTest, SeedsPass) {
  const std::vector<std::string> seeds = GetParam()->seeds();
  EXPECT_GT(seeds.size(), 5u);
  for (const std::string& seed : seeds) GetParam()->run(seed);
}

TEST_P(FuzzTest, WhatAFuzzerFoundPasses) {
  const fs::path folder = fs::path(kFound) / GetParam()->name;
  if (!fs::exists(folder)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto bytes = ReadFile(entry.path().string());
    ASSERT_TRUE(bytes.ok()) << entry.path();
    GetParam()->run(*bytes);
  }
}

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string Next() {
    std::string bytes = Seed();
    for (int edits = 1 + Below(6); edits > 0; --edits) Edit(bytes);
    return bytes.substr(0, kMaxBytes);
  }

 private:
  int Below(std::size_t n) { return static_cast<int>(dice_() % n); }
  const std::string& Seed() { return seeds_[static_cast<std::size_t>(Below(seeds_.size()))]; }
  void Edit(std::string& bytes) {
    const auto at = static_cast<std::size_t>(Below(bytes.size() + 1));
    switch (Below(6)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 1 << Below(8));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(dice_());
        break;
      case 2:
        bytes.erase(at, static_cast<std::size_t>(Below(9)));
        break;
      case 3:
        bytes.insert(at, static_cast<std::size_t>(1 + Below(4)), static_cast<char>(dice_()));
        break;
      case 4:
        bytes.resize(at);
        break;
      default:  // a part of another seed
        bytes.insert(at, Seed().substr(0, static_cast<std::size_t>(1 + Below(200))));
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937 dice_{1};
};

TEST_P(FuzzTest, MutationsPass) {
  Mutator mutator(GetParam()->seeds());
  for (int i = 0; i < kMutations; ++i) GetParam()->run(mutator.Next());
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTest,
                         testing::ValuesIn(FuzzTargets().begin(), FuzzTargets().end()),
                         [](const auto& param) { return std::string(param.param->name); });

}  // namespace
}  // namespace etude
