#include "client/corpus_figures.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace etude {
namespace {

std::int64_t Sum(const Plotted& columns) {
  double sum = 0;
  for (const XY& point : columns.points) sum += point.y;
  return static_cast<std::int64_t>(sum);
}

TEST(CorpusFiguresTest, AHistogramShowsEveryValueOrSaysHowManyItLeavesOut) {
  std::vector<std::int64_t> values(1000);
  std::iota(values.begin(), values.end(), 0);
  values.back() = 1'000'000;
  const Panel panel = HistogramPanel("t", "x", "y", values);
  EXPECT_EQ(Sum(panel.plotted.at(0)), 999);
  ASSERT_EQ(panel.notes.size(), 2U);
  EXPECT_EQ(panel.notes[1], "not shown: 1 above the last class, up to 1000000");
}

TEST(CorpusFiguresTest, ValuesThatAreAllEqualAreOneColumn) {
  const Panel panel = HistogramPanel("t", "x", "y", {7, 7, 7});
  std::int64_t columns = 0;
  for (const XY& point : panel.plotted.at(0).points) columns += point.y > 0 ? 1 : 0;
  EXPECT_EQ(columns, 1);
  EXPECT_TRUE(HistogramPanel("t", "x", "y", {}).plotted.empty());
}

TEST(CorpusFiguresTest, CountsStandInTheOrderOfTheirNumberAndTheRestIsTold) {
  std::vector<NamedCount> counts;
  for (int i = 0; i < 50; ++i) counts.push_back({"k" + std::to_string(i), i});
  const Figure figure = CountsFigure("Keys", "key", "tunes", counts);
  EXPECT_EQ(figure.panels[0].x.categories.front(), "k49");
  EXPECT_EQ(figure.panels[0].x.categories.size(), 40U);
  EXPECT_EQ(figure.panels[0].notes.at(0), "not shown: 45 of 10 others");
}

TEST(CorpusFiguresTest, TokensThatCannotBeSeenHaveSigns) {
  CorpusStats stats;
  stats.frequencies = {{3, " ", 10}, {2, "\n", 5}, {4, "z", 0}};
  const Figure figure = FrequenciesFigure(stats);
  EXPECT_EQ(figure.panels[0].x.categories, (std::vector<std::string>{"\u2423", "\u21B5"}));
  EXPECT_NE(RenderSvg(figure).find(">\u2423</text>"), std::string::npos);
}

TEST(CorpusFiguresTest, ACorpusWithoutDocumentsSaysSo) {
  const Figure figure = LengthsFigure({});
  EXPECT_EQ(figure.panels[1].notes.at(0), "the token files do not say where documents begin");
  EXPECT_NE(RenderSvg(figure).find("no data"), std::string::npos);
}

}  // namespace
}  // namespace etude
