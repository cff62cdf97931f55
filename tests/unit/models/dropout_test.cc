#include "lib/models/dropout.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "lib/base/random.h"

namespace etude {
namespace {

TEST(DropoutTest, MaskFollowsTheCounterGenerator) {
  const DropoutSite site{.seed = 0x123456789abcdef0, .step = 77, .site = 5};
  std::vector<float> mask(300);
  const std::uint32_t threshold = DropoutThreshold(0.3);
  FillDropoutMask(site, threshold, 2.0f, 0, mask);
  const CounterRandom random(site.seed, RandomStream::kDropout, site.step);
  for (std::uint64_t i = 0; i < mask.size(); ++i) {
    const std::uint64_t block = (std::uint64_t{site.site} << 32) | (i / 64 * 16 + i % 16);
    const std::uint32_t word = random.Block(block)[i % 64 / 16];
    ASSERT_EQ(mask[i], word < threshold ? 0.0f : 2.0f) << i;
  }
}

TEST(DropoutTest, TensorOpsGiveTheSameBits) {
  const DropoutSite site{.seed = ~std::uint64_t{0}, .step = 1, .site = 9};
  const std::uint32_t threshold = DropoutThreshold(0.1);
  std::vector<float> mask(1000);
  FillDropoutMask(site, threshold, 1.25f, 0, mask);
  const at::Tensor other = DropoutMaskByTensorOps(site, threshold, 1.25f, 1000, at::kCPU);
  EXPECT_TRUE(at::equal(other, at::from_blob(mask.data(), {1000}, at::kFloat)));
}

TEST(DropoutTest, DropsTheAskedShareAndKeepsTheMean) {
  const at::Tensor ones = at::ones({1 << 20});
  const at::Tensor dropped = Dropout(0.1, 3, 4)(ones, 0);
  // Binomial: standard deviation 0.0003 of the share.
  EXPECT_NEAR(dropped.eq(0).to(at::kFloat).mean().item<float>(), 0.1, 0.0015);
  EXPECT_NEAR(dropped.mean().item<float>(), 1.0, 0.002);
}

TEST(DropoutTest, StepsSitesAndSeedsHaveMasksOfTheirOwn) {
  const at::Tensor x = at::ones({4096});
  const at::Tensor base = Dropout(0.5, 1, 1).MaskLike(x, 0);
  EXPECT_TRUE(at::equal(base, Dropout(0.5, 1, 1).MaskLike(x, 0)));
  for (const at::Tensor& other :
       {Dropout(0.5, 1, 1).MaskLike(x, 1), Dropout(0.5, 1, 2).MaskLike(x, 0),
        Dropout(0.5, 2, 1).MaskLike(x, 0)}) {
    EXPECT_NEAR(base.eq(other).to(at::kFloat).mean().item<float>(), 0.5, 0.05);
  }
}

TEST(DropoutTest, OffIsTheIdentity) {
  const at::Tensor x = at::ones({4});
  EXPECT_TRUE(Dropout()(x, 0).is_same(x));
}

}  // namespace
}  // namespace etude
