#include "lib/scaling/counts.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/scaling/builders.h"

namespace etude {
namespace {

// FLOPs of a product [rows, inner] x [inner, columns], one multiply and one add at a time.
std::int64_t Product(std::int64_t rows, std::int64_t inner, std::int64_t columns) {
  return rows * columns * (inner + inner);
}

// One window through a transformer, product by product, head by head, as the module runs it.
std::int64_t TransformerWindow(const ModelConfig& m, bool causal) {
  const std::int64_t t = m.context, d = m.width, head = d / m.heads;
  std::int64_t flops = 0;
  for (int layer = 0; layer < m.layers; ++layer) {
    for (int matrix = 0; matrix < 4; ++matrix) flops += Product(t, d, d);
    for (int h = 0; h < m.heads; ++h) {
      for (std::int64_t position = 0; position < t; ++position) {
        const std::int64_t keys = causal ? position + 1 : t;
        flops += Product(1, head, keys) + Product(1, keys, head);
      }
    }
    flops += Product(t, d, 4 * d) + Product(t, 4 * d, d);
  }
  return flops + Product(t, d, m.vocab);
}

// One window through an LSTM, time step by time step, gate by gate.
std::int64_t LstmWindow(const ModelConfig& m) {
  std::int64_t flops = 0;
  for (int position = 0; position < m.context; ++position) {
    for (int layer = 0; layer < m.layers; ++layer) {
      for (int gate = 0; gate < 4; ++gate) flops += 2 * Product(1, m.width, m.width);
    }
    flops += Product(1, m.width, m.vocab);
  }
  return flops;
}

RunConfig MakeConfig(const ModelConfig& model) {
  RunConfig config;
  config.model = model;
  config.steps = 1000;
  config.unique_tokens = config.train_tokens = 1'000'000;
  return config;
}

TEST(CountsTest, NamedShapesHaveTheDesignsParameterCounts) {
  const std::vector<std::pair<std::string, std::int64_t>> transformers = {{"tiny", 801'664},
                                                                          {"small", 2'678'592},
                                                                          {"medium", 6'326'016},
                                                                          {"large", 21'291'648},
                                                                          {"xl", 50'417'152}};
  for (const auto& [name, all] : transformers) {
    EXPECT_EQ(CountParameters(MakeModel(Family::kTransformer, name)).all, all) << name;
  }
  const std::vector<std::pair<std::string, std::int64_t>> lstms = {
      {"tiny", 1'071'653}, {"small", 4'240'421}, {"medium", 14'231'077}, {"large", 25'266'213}};
  for (const auto& [name, all] : lstms) {
    EXPECT_EQ(CountParameters(MakeModel(Family::kLstm, name)).all, all) << name;
  }
}

TEST(CountsTest, ComputeCountHasTheHeadOnceAndNoPositions) {
  const ParameterCounts tied = CountParameters(MakeModel(Family::kTransformer, "2x32x2"));
  EXPECT_EQ(tied.all - tied.compute, 64 * 32);  // positions
  EXPECT_EQ(tied.compute - tied.body, 37 * 32);
  const ParameterCounts untied = CountParameters(MakeModel(Family::kLstm, "1x24"));
  EXPECT_EQ(untied.all - untied.compute, 37 * 24 + 37);  // embedding, head bias
  EXPECT_EQ(untied.body, 8 * 24 * 24 + 8 * 24);
}

TEST(CountsTest, TransformerFlopsEqualACountOfEveryProduct) {
  for (const char* shape : {"1x8x2", "2x32x4", "3x48x3"}) {
    const ModelConfig model = MakeModel(Family::kTransformer, shape, 41, 17);
    const ForwardFlops flops = CountForwardFlops(model);
    EXPECT_EQ(flops.dense() * 17, TransformerWindow(model, false)) << shape;
    EXPECT_EQ(flops.causal() * 17, TransformerWindow(model, true)) << shape;
    EXPECT_EQ(flops.embedding, 0);
  }
}

TEST(CountsTest, LstmFlopsEqualACountOfEveryProduct) {
  for (const char* shape : {"1x8", "2x24", "3x40"}) {
    const ModelConfig model = MakeModel(Family::kLstm, shape, 41, 17);
    EXPECT_EQ(CountForwardFlops(model).dense() * 17, LstmWindow(model)) << shape;
    EXPECT_EQ(CountForwardFlops(model).causal() * 17, LstmWindow(model)) << shape;
  }
}

TEST(CountsTest, SixNdFallsShortOfATransformerByAttentionAlone) {
  const RunConfig config = MakeConfig(MakeModel(Family::kTransformer, "2x32x2"));
  const RunFlops flops = CountRunFlops(config, MakeCorpus());
  const double norms = 6.0 * (2 * 4 * 32 + 2 * 32);  // parameters that multiply no matrix
  const double attention = 3.0 * 2 * 4 * 64 * 32;
  const double tokens = 1000.0 * 8 * 64;
  EXPECT_DOUBLE_EQ(flops.train_dense - flops.six_nd, (attention - norms) * tokens);
}

TEST(CountsTest, EvaluationCountsProbesTrainEvalAndWholeSplitsApartFromTraining) {
  RunConfig config = MakeConfig(MakeModel(Family::kLstm, "1x24"));
  config.eval = {.curve_points = 3, .curve_tokens = 640};
  const Corpus corpus = MakeCorpus(1'000'000, 6'401);  // 6,400 targets in each split
  const std::int64_t positions = 3 * 2 * 640 + 6'400 + 6'400 + 640;
  EXPECT_EQ(EvaluationPositions(config, corpus), positions);
  const RunFlops flops = CountRunFlops(config, corpus);
  const ForwardFlops forward = CountForwardFlops(config.model);
  EXPECT_DOUBLE_EQ(flops.evaluation, static_cast<double>(forward.dense() * positions));
  EXPECT_DOUBLE_EQ(flops.train_dense, 3.0 * static_cast<double>(forward.dense()) * 512'000);
}

TEST(CountsTest, AProbeIsNoLargerThanItsSplit) {
  RunConfig config = MakeConfig(MakeModel(Family::kLstm, "1x24"));
  config.eval = {.curve_points = 1, .curve_tokens = 1'000'000'000};
  config.unique_tokens = 129;
  const Corpus corpus = MakeCorpus(129, 100);  // 99 targets: two windows of 64
  EXPECT_EQ(EvaluationPositions(config, corpus), (128 + 128) + 128 + 128 + 128);
}

TEST(CountsTest, TrainingHoldsWeightsGradientsAndTwoMoments) {
  const RunConfig config = MakeConfig(MakeModel(Family::kTransformer, "tiny"));
  const TrainingMemory memory = CountTrainingMemory(config);
  EXPECT_EQ(memory.weights_bytes + memory.gradients_bytes + memory.moments_bytes, 16 * 801'664);
  EXPECT_GT(memory.activations_estimate_bytes, 4 * 512 * 4 * 12 * 128);
  EXPECT_EQ(CountCheckpoint(config.model).kept_bytes(), 16 * 801'664);
}

}  // namespace
}  // namespace etude
