#include "lib/music/corpus_tunes.h"

#include <gtest/gtest.h>

#include "lib/music/abc_reader.h"

namespace etude {
namespace {

TEST(CorpusTunesTest, CountsFirstKeysAndMetersAndNotesAsPlayed) {
  TuneCounts counts;
  AddTune(ReadAbc("M:6/8\nL:1/8\nK:Gm\n|:GAB c2d:|\n").score, counts);
  AddTune(ReadAbc("M:2/4\nL:1/8\nK:D\nDEFG|[K:A]A4|\n").score, counts);
  AddTune(ReadAbc("M:2/4\nL:1/8\nK:D\nz4|\n").score, counts);
  EXPECT_EQ(counts.tunes, 3);
  EXPECT_EQ(counts.without_notes, 1);
  EXPECT_EQ(counts.keys.at("Gm"), 1);
  EXPECT_EQ(counts.keys.at("D"), 1);
  EXPECT_EQ(counts.meters.at("6/8"), 1);
  EXPECT_EQ(counts.notes, (std::vector<std::int64_t>{10, 5}));
  EXPECT_EQ(counts.bars, (std::vector<std::int64_t>{2, 2}));
}

}  // namespace
}  // namespace etude
