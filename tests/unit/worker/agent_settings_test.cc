#include "worker/agent_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "worker/machine.h"

namespace etude {
namespace {

TEST(AgentSettingsTest, TheShippedFileHoldsTheDefaults) {
  const auto toml = ReadFile("configs/worker.toml");
  ASSERT_TRUE(toml.ok()) << toml.status();
  AgentSettings settings;
  settings.slots = 7;
  settings.upload_every = absl::Seconds(1);
  ASSERT_TRUE(ApplyWorkerToml(*toml, "worker.toml", settings).ok());
  EXPECT_EQ(settings.slots, AgentSettings().slots);
  EXPECT_EQ(settings.checkpoint_every, AgentSettings().checkpoint_every);
  EXPECT_EQ(settings.upload_every, AgentSettings().upload_every);
}

TEST(AgentSettingsTest, AnUnknownKeyIsRefusedWithItsPlace) {
  AgentSettings settings;
  const absl::Status status = ApplyWorkerToml("slots = 2\nslotz = 3\n", "w.toml", settings);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status).rfind("w.toml:2:1: ", 0), 0u) << status;
}

class RefusedSettingTest : public testing::TestWithParam<const char*> {};

TEST_P(RefusedSettingTest, IsInvalid) {
  AgentSettings settings;
  EXPECT_EQ(ApplyWorkerToml(GetParam(), "w.toml", settings).code(),
            absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Strict, RefusedSettingTest,
                         testing::Values("slots = 0", "slots = 2000", "slots = 1.5",
                                         "threads = \"2\"", "upload_seconds = -1",
                                         "upload_seconds = nan", "name = 3",
                                         "slots =", "[worker]"));

TEST(AgentSettingsTest, FlagsOutOfRangeAreRefused) {
  AgentSettings good;
  good.endpoint = "127.0.0.1:7433";
  good.name = "host-1";
  EXPECT_TRUE(CheckSettings(good).ok());
  AgentSettings bad = good;
  bad.device = "tpu";
  EXPECT_FALSE(CheckSettings(bad).ok());
  bad = good;
  bad.name = "../x";
  EXPECT_FALSE(CheckSettings(bad).ok());
  bad.name = std::string(kMaxWorkerNameBytes + 1, 'n');
  EXPECT_THAT(MessageOf(CheckSettings(bad)), testing::HasSubstr("up to 57 of letters"));
  bad = good;
  bad.endpoint = "nowhere";
  EXPECT_FALSE(CheckSettings(bad).ok());
}

}  // namespace
}  // namespace etude
