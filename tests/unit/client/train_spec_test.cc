#include "client/train_spec.h"

#include <gtest/gtest.h>

#include "lib/scaling/spec.h"

namespace etude {
namespace {

SweepSpec Parsed(const TrainOptions& options) {
  const auto spec = ParseSweepSpec(TrainSpecToml(options), "train");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.value_or(SweepSpec());
}

TEST(TrainSpecTest, ParsesToExactlyOneRunWithWhatWasAsked) {
  const SweepSpec spec = Parsed({.corpus = "corpora/folk",
                                 .family = Family::kLstm,
                                 .shape = "1x96",
                                 .tokens = "300k",
                                 .seed = 7,
                                 .lr = 0.01,
                                 .dropout = 0.1,
                                 .batch = 4,
                                 .context = 32,
                                 .repeat = true});
  ASSERT_EQ(spec.grids.size(), 1U);
  const Grid& grid = spec.grids[0];
  EXPECT_EQ(grid.shapes.size() * grid.amounts.size() * grid.seeds.size(), 1U);
  EXPECT_EQ(ShapeText(grid.shapes[0].shape), "1x96");
  EXPECT_EQ(grid.amounts[0].value, 300000);
  EXPECT_EQ(grid.seeds[0], 7U);
  EXPECT_EQ(grid.lstm.lr.c, 0.01);
  EXPECT_EQ(grid.lstm.dropout, 0.1);
  EXPECT_EQ(grid.lstm.batch, 4);
  EXPECT_EQ(grid.lstm.context, 32);
  EXPECT_TRUE(grid.lstm.repeat);
  EXPECT_EQ(spec.corpus, "corpora/folk");
}

TEST(TrainSpecTest, WithoutTokensItIsOneEpoch) {
  const SweepSpec spec = Parsed({.corpus = "folk", .shape = "tiny"});
  EXPECT_EQ(spec.grids[0].kind, AmountKind::kEpochs);
  EXPECT_EQ(spec.grids[0].amounts[0].value, 1);
  EXPECT_FALSE(spec.grids[0].transformer.repeat);
}

TEST(TrainSpecTest, TheNameFollowsTheContent) {
  const TrainOptions one{.corpus = "folk", .shape = "tiny"};
  TrainOptions other = one;
  other.seed = 2;
  EXPECT_EQ(Parsed(one).name, Parsed(one).name);
  EXPECT_NE(Parsed(one).name, Parsed(other).name);
}

TEST(TrainSpecTest, AnOddDirectoryNameStaysWhole) {
  const std::string odd = "a \"b\"\\c é";
  EXPECT_EQ(Parsed({.corpus = odd, .shape = "tiny"}).corpus, odd);
}

TEST(TrainSpecTest, LearningRatesKeepTheirValue) {
  for (const double lr : {1.0, 0.001, 1e-05, 0.30000000000000004}) {
    EXPECT_EQ(Parsed({.corpus = "folk", .shape = "tiny", .lr = lr}).grids[0].transformer.lr.c, lr);
  }
}

TEST(TrainSpecTest, ABadShapeIsAnErrorOfTheSpecAndNotAnotherKey) {
  const auto spec =
      ParseSweepSpec(TrainSpecToml({.corpus = "folk", .shape = "tiny\"]\nseeds = [9"}), "train");
  EXPECT_FALSE(spec.ok());
}

}  // namespace
}  // namespace etude
