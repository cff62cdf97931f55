// Our reading of ABC against that of Debian's abc2midi, through tests/oracles/check_abc.py.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>

#include "lib/music/abc_clean.h"
#include "lib/music/abc_reader.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

// The sums of check_abc.py.
struct Agreement {
  int tunes = 0;
  int equal = 0;  // in every onset, length and pitch
  std::int64_t ours = 0;
  std::int64_t theirs = 0;
  std::int64_t matched = 0;
  std::int64_t exact = 0;
};

Agreement SumsOf(const std::string& answer, const std::string& kind) {
  Agreement sums;
  const std::size_t at = answer.find(kind + " tunes");
  if (at == std::string::npos) return sums;
  std::istringstream words(answer.substr(at));
  std::string word;
  words >> word >> word >> sums.tunes >> word >> sums.equal >> word >> sums.ours >> word >>
      sums.theirs >> word >> sums.matched >> word >> sums.exact;
  return sums;
}

std::string OutputOf(const std::string& line) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(line.c_str(), "r"), pclose);
  std::string answer;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe.get()) != nullptr) answer += buffer;
  return answer;
}

class AbcOracleTest : public CorpusTest {
 protected:
  void WriteTunesOf(const std::string& text, const std::string& name) {
    int number = 0;
    for (const std::string_view tune : SplitTunes(text)) {
      const std::string stem = fmt::format("{}_{:04}", name, ++number);
      Write(stem + ".abc", std::string(tune));
      Write(stem + ".notes", NotesOf(ReadAbc(tune).score));
    }
  }

  static std::string NotesOf(const Score& score) {
    const double quarter = score.ticks_per_quarter;
    std::string lines;
    for (const Voice& voice : score.voices) {
      for (const Note& note : voice.notes) {
        lines += fmt::format("{} {} {}\n", static_cast<double>(note.onset) / quarter,
                             static_cast<double>(note.duration) / quarter, note.pitch);
      }
    }
    return lines;
  }

  std::string Compare() const {
    const char* configured = std::getenv("ETUDE_PYTHON");
    const std::string python = configured != nullptr ? configured : ".deps/venv/bin/python3";
    return OutputOf(python + " tests/oracles/check_abc.py compare " + dir_.string());
  }
};

TEST_F(AbcOracleTest, EveryFeatureIsReadAsAbc2midiReadsIt) {
  const auto text = ReadFile("tests/unit/music/features.abc");
  ASSERT_TRUE(text.ok());
  WriteTunesOf(*text, "features");
  const std::string answer = Compare();
  if (answer.starts_with("no ")) {
    GTEST_SKIP() << "NOT TESTED: " << answer << "run make setup";
  }
  const Agreement sums = SumsOf(answer, "total");
  EXPECT_GE(sums.tunes, 40) << answer;
  EXPECT_EQ(sums.equal, sums.tunes) << answer;
}

TEST_F(AbcOracleTest, PeoplesTunesAreReadAsAbc2midiReadsThem) {
  const char* files = std::getenv("ETUDE_ABC_FILES");
  if (files == nullptr) GTEST_SKIP() << "NOT TESTED: ETUDE_ABC_FILES names no directory";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(files)) {
    if (entry.path().extension() != ".abc") continue;
    const auto text = ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok());
    WriteTunesOf(*text, entry.path().stem().string());
  }
  const std::string answer = Compare();
  if (answer.starts_with("no ")) {
    GTEST_SKIP() << "NOT TESTED: " << answer << "run make setup";
  }
  const Agreement sums = SumsOf(answer, "total");
  const auto most = static_cast<double>(std::max(sums.ours, sums.theirs));
  EXPECT_GT(sums.tunes, 0) << answer;
  EXPECT_GE(static_cast<double>(sums.matched), 0.99 * most) << answer;
  EXPECT_GE(static_cast<double>(sums.exact), 0.99 * most) << answer;
  std::printf("%s", answer.substr(answer.rfind("implied")).c_str());
}

}  // namespace
}  // namespace etude
