// Fits and frozen predictions: kept as they were made.
#include <gmock/gmock.h>

#include "lib/base/hash.h"
#include "lib/scaling/forecast.h"
#include "storage/sqlite.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FitChangeTest : public StoreTest {
 protected:
  // A sweep of two runs, the second held out.
  void SetUp() override {
    StoreTest::SetUp();
    SweepAdded added = MakeSweep({MakeRun(7), held_out_}, "forecast", 'b');
    added.sweep.held_out = {held_out_.key};
    ASSERT_TRUE(Commit({added}).ok());
  }
  SweepFit FitNumber(int number) const {
    const std::string json = "{\"fit\":" + std::to_string(number) + "}";
    return {sweep_, Family::kLstm, json, Sha256Hex(json), 100 + number};
  }
  FrozenPrediction Prediction(double loss) const {
    return {.sweep = sweep_,
            .run = held_out_.key,
            .family = Family::kLstm,
            .fit_sha256 = FitNumber(1).sha256,
            .n = 4000,
            .d = 51200,
            .prediction = {loss, {loss - 0.1, loss + 0.1}, 0.1 / loss, true, 1.9, 0.013},
            .blind = true,
            .frozen_at_us = 77};
  }
  absl::Status Freeze(double loss) {
    return Commit({PredictionsFrozen{sweep_, {FitNumber(1)}, {Prediction(loss)}}});
  }

  const SweepId sweep_{Hex('b')};
  const Run held_out_ = MakeRun(8);
};

TEST_F(FitChangeTest, HeldOutRunsSurviveReopening) {
  Reopen();
  EXPECT_THAT(Load().sweeps.at(1).held_out, ElementsAre(held_out_.key));
  EXPECT_THAT(Load().sweeps.at(0).held_out, IsEmpty());
  EXPECT_THAT(Reader()->FindSweep("forecast")->held_out, ElementsAre(held_out_.key));
}

TEST_F(FitChangeTest, APredictionAndItsFitSurviveReopening) {
  ASSERT_TRUE(Freeze(1.5).ok());
  Reopen();
  EXPECT_THAT(Reader()->PredictionsOf(sweep_).value(), ElementsAre(Prediction(1.5)));
  EXPECT_THAT(Reader()->FitsOf(sweep_).value(), ElementsAre(FitNumber(1)));
  ASSERT_THAT(Load().predicted, SizeIs(1));
  EXPECT_EQ(Load().predicted[0].run, held_out_.key);
}

TEST_F(FitChangeTest, AFrozenPredictionNeverChanges) {
  ASSERT_TRUE(Freeze(1.5).ok());
  EXPECT_TRUE(Freeze(1.5).ok()) << "the same one again is the same one";
  const absl::Status other = Freeze(1.4);
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(other), HasSubstr("is frozen, and stays"));
  store_.reset();
  auto database = Database::Open(path(), Database::Access::kReadWrite);
  ASSERT_TRUE(database.ok());
  const absl::Status update = (*database)->Execute("UPDATE predictions SET sha256 = ''");
  EXPECT_THAT(MessageOf(update), HasSubstr("a frozen prediction never changes"));
}

TEST_F(FitChangeTest, ATamperedPredictionIsDataLoss) {
  ASSERT_TRUE(Freeze(1.5).ok());
  store_.reset();
  auto database = Database::Open(path(), Database::Access::kReadWrite);
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE((*database)
                  ->Execute("DROP TRIGGER predictions_are_frozen; UPDATE predictions SET "
                            "prediction_json = replace(prediction_json, '1.5', '1.6')")
                  .ok());
  EXPECT_EQ(Reader()->PredictionsOf(sweep_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(FitChangeTest, OnlyWhatASweepHoldsOutIsPredicted) {
  FrozenPrediction wrong = Prediction(1.5);
  wrong.run = run_.key;
  const absl::Status status = Commit({PredictionsFrozen{sweep_, {FitNumber(1)}, {wrong}}});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Reader()->FitsOf(sweep_).value(), IsEmpty()) << "all or none";
}

TEST_F(FitChangeTest, EqualFitsAreOneAndTheNewestAreKeptBesideThePredicted) {
  ASSERT_TRUE(Freeze(1.5).ok());
  ASSERT_TRUE(Commit({FitAdded{FitNumber(2)}, FitAdded{FitNumber(2)}}).ok());
  EXPECT_THAT(Reader()->FitsOf(sweep_).value(), ElementsAre(FitNumber(2), FitNumber(1)));
  std::vector<Change> changes;
  for (int i = 3; i < kMaxStoredFits + 10; ++i) changes.push_back(FitAdded{FitNumber(i)});
  ASSERT_TRUE(Commit(changes).ok());
  const std::vector<SweepFit> fits = Reader()->FitsOf(sweep_).value();
  ASSERT_THAT(fits, SizeIs(kMaxStoredFits + 1));
  EXPECT_EQ(fits.front(), FitNumber(kMaxStoredFits + 9));
  EXPECT_EQ(fits.back(), FitNumber(1));
}

}  // namespace
}  // namespace etude
