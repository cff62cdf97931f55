#include "lib/models/network.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "lib/base/file.h"
#include "lib/models/adamw.h"
#include "lib/models/evaluation.h"
#include "lib/models/numerics.h"
#include "lib/scaling/counts.h"
#include "tests/unit/models/training_fixture.h"

namespace etude {
namespace {

ModelConfig Shape(Family family, const std::string& text, int context = 16) {
  ModelConfig model = *ParseShape(family, text);
  model.vocab = 37;
  model.context = context;
  return model;
}

at::Tensor SomeTokens(std::int64_t batch, std::int64_t length) {
  return at::arange(batch * length, at::kLong).mul(7).add(3).remainder(37).view({batch, length});
}

at::Tensor LossOf(const Network& network, const at::Tensor& tokens, const Dropout& dropout = {}) {
  const at::Tensor targets = tokens.roll(-1, 1).contiguous();
  return at::cross_entropy_loss(network.Logits(tokens, dropout), targets.view({-1}));
}

at::Tensor GradientsOf(const ModelConfig& model, Kernels kernels, const Dropout& dropout) {
  PrepareLibTorch(1);
  Weights weights(model, at::kCPU);
  weights.Initialize(5);
  LossOf(*MakeNetwork(model, kernels, weights), SomeTokens(3, model.context), dropout).backward();
  return weights.gradients().clone();
}

struct NamedCount {
  Family family;
  std::string name;
  std::int64_t parameters;
};
class ParameterCountTest : public testing::TestWithParam<NamedCount> {};

TEST_P(ParameterCountTest, EqualsTheDesignAndTheClosedForm) {
  const ModelConfig model = Shape(GetParam().family, GetParam().name, 64);
  std::int64_t total = 0;
  for (const Parameter& parameter : ParametersOf(model)) total += parameter.size();
  EXPECT_EQ(total, GetParam().parameters);
  EXPECT_EQ(CountParameters(model).all, total);
}

INSTANTIATE_TEST_SUITE_P(Named, ParameterCountTest,
                         testing::Values(NamedCount{Family::kTransformer, "tiny", 801'664},
                                         NamedCount{Family::kTransformer, "small", 2'678'592},
                                         NamedCount{Family::kTransformer, "medium", 6'326'016},
                                         NamedCount{Family::kTransformer, "large", 21'291'648},
                                         NamedCount{Family::kTransformer, "xl", 50'417'152},
                                         NamedCount{Family::kLstm, "tiny", 1'071'653},
                                         NamedCount{Family::kLstm, "small", 4'240'421},
                                         NamedCount{Family::kLstm, "medium", 14'231'077},
                                         NamedCount{Family::kLstm, "large", 25'266'213}));

class FamilyTest : public testing::TestWithParam<ModelConfig> {};
INSTANTIATE_TEST_SUITE_P(
    Both, FamilyTest,
    testing::Values(Shape(Family::kTransformer, "2x16x2"), Shape(Family::kLstm, "2x24"),
                    Shape(Family::kTransformer, "3x40x5"), Shape(Family::kLstm, "1x33")),
    [](const auto& info) {
      return std::string(FamilyName(info.param.family)) + ShapeText(info.param);
    });

TEST_P(FamilyTest, FusedAndReferenceKernelsAgree) {
  const at::Tensor fused = GradientsOf(GetParam(), Kernels::kFused, {});
  const at::Tensor reference = GradientsOf(GetParam(), Kernels::kReference, {});
  EXPECT_GT(reference.abs().max().item<float>(), 1e-3);
  EXPECT_LT((fused - reference).abs().max().item<float>(), 1e-5);
}

TEST_P(FamilyTest, FusedAndReferenceKernelsDropTheSame) {
  const Dropout dropout(0.2, 3, 4);
  const at::Tensor fused = GradientsOf(GetParam(), Kernels::kFused, dropout);
  const at::Tensor reference = GradientsOf(GetParam(), Kernels::kReference, dropout);
  EXPECT_LT((fused - reference).abs().max().item<float>(), 1e-5);
}

TEST_P(FamilyTest, AStepEqualsPyTorch) {
  if (PythonPath().empty())
    GTEST_SKIP() << "SKIPPED LOUDLY: no Python in .deps/venv or ETUDE_PYTHON";
  PrepareLibTorch(1);
  const ModelConfig model = GetParam();
  const OptimizerConfig config{.clip = 0.05};
  Weights weights(model, at::kCPU);
  weights.Initialize(5);
  const at::Tensor tokens = SomeTokens(3, model.context), targets = tokens.roll(-1, 1).contiguous();
  const at::Tensor before = weights.values().clone();
  const at::Tensor loss = LossOf(*MakeNetwork(model, Kernels::kFused, weights), tokens);
  loss.backward();
  const at::Tensor gradients = weights.gradients().clone();
  AdamW optimizer(config, weights);
  optimizer.Update(1, 1e-2, optimizer.GradientNorm().item<float>());
  optimizer.Update(2, 1e-2, optimizer.GradientNorm().item<float>());
  const at::Tensor value = loss.detach();
  std::vector<NamedArray> arrays = weights.ArraysOf(before, "parameter.");
  for (const NamedArray& array : weights.ArraysOf(gradients, "gradient.")) arrays.push_back(array);
  for (const NamedArray& array : weights.ArraysOf(weights.values(), "updated."))
    arrays.push_back(array);
  const auto add = [&](const std::string& name, ElementType type, const at::Tensor& tensor) {
    const auto* bytes = static_cast<const std::byte*>(tensor.const_data_ptr());
    arrays.push_back({name, type, tensor.sizes().vec(), std::span(bytes, tensor.nbytes())});
  };
  add("tokens", ElementType::kI64, tokens);
  add("targets", ElementType::kI64, targets);
  add("loss", ElementType::kF32, value);
  const std::string path = NewDirectory() + "/step.safetensors";
  const SafetensorsMetadata shape = {{"format", "pt"},
                                     {"family", std::string(FamilyName(model.family))},
                                     {"layers", std::to_string(model.layers)},
                                     {"width", std::to_string(model.width)},
                                     {"heads", std::to_string(model.heads)},
                                     {"vocab", std::to_string(model.vocab)},
                                     {"context", std::to_string(model.context)},
                                     {"lr", "1e-2"},
                                     {"clip", "0.05"},
                                     {"beta1", std::to_string(config.beta1)},
                                     {"beta2", std::to_string(config.beta2)},
                                     {"weight_decay", std::to_string(config.weight_decay)}};
  ASSERT_TRUE(WriteFileAtomically(path, EncodeSafetensors(arrays, shape)).ok());
  EXPECT_NE(RunOracle("check_step.py", path), std::nullopt);
}

TEST(TransformerTest, ATokenDoesNotSeeTheFuture) {
  const ModelConfig model = Shape(Family::kTransformer, "2x16x2");
  Weights weights(model, at::kCPU);
  weights.Initialize(1);
  const at::NoGradGuard no_grad;
  const at::Tensor tokens = SomeTokens(1, 16);
  at::Tensor changed = tokens.clone();
  changed[0][10] = (tokens[0][10].item<std::int64_t>() + 1) % 37;
  for (const Kernels kernels : {Kernels::kFused, Kernels::kReference}) {
    const auto network = MakeNetwork(model, kernels, weights);
    const at::Tensor a = network->Logits(tokens, {}), b = network->Logits(changed, {});
    EXPECT_TRUE(at::equal(a.narrow(0, 0, 10), b.narrow(0, 0, 10)));
    EXPECT_FALSE(at::allclose(a[10], b[10]));
  }
}

TEST(InitialWeightsTest, FollowTheirRules) {
  ModelConfig model = Shape(Family::kTransformer, "4x64x4", 64);
  const auto deviation = [&](const std::string& name) {
    Weights weights(model, at::kCPU);
    weights.Initialize(2);
    return weights[name].detach().std().item<float>();
  };
  model.init = Init::kGpt2;
  EXPECT_NEAR(deviation("blocks.1.mlp.up.weight"), 0.02, 0.0005);
  EXPECT_NEAR(deviation("blocks.1.mlp.down.weight"), 0.02 / std::sqrt(8.0), 0.0002);
  model.init = Init::kWidth;
  EXPECT_NEAR(deviation("blocks.1.mlp.up.weight"), 1.0 / 8, 0.003);
  EXPECT_NEAR(deviation("blocks.1.mlp.down.weight"), 1.0 / 16 / std::sqrt(8.0), 0.0006);
  EXPECT_NEAR(deviation("token_embedding.weight"), 0.5 / 8, 0.003);
  EXPECT_EQ(deviation("blocks.0.mlp_norm.weight"), 0.0);
}

TEST(EvaluationTest, DocumentSumsAddUpToTheWholeSplit) {
  const ModelConfig model = Shape(Family::kLstm, "1x24");
  Weights weights(model, at::kCPU);
  weights.Initialize(1);
  const auto network = MakeNetwork(model, Kernels::kFused, weights);
  std::vector<Token> tokens(533);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<Token>(i * i % 37);
  const Evaluation evaluation(tokens, model.context, *network, at::kCPU);
  const std::vector<std::int64_t> starts = {0, 1, 40, 41, 500};
  const std::vector<LossSum> documents = evaluation.ByDocument(starts);
  const LossSum whole = evaluation.Over(evaluation.windows().Spread(533));
  const std::int64_t targets[] = {0, 39, 1, 459, 33};  // the first token of the split is no target
  double nats = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(documents[i].targets, targets[i]);
    nats += documents[i].nats;
  }
  EXPECT_NEAR(nats, whole.nats, 1e-9 * whole.nats);
  EXPECT_EQ(whole.targets, 532);
}

}  // namespace
}  // namespace etude
