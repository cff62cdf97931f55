#include "client/failure.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::json;

TEST(FailureTest, EachStatusHasItsExitCode) {
  const std::pair<absl::Status, int> table[] = {
      {absl::OkStatus(), 0},       {Internal("x"), 1},           {absl::UnknownError("x"), 1},
      {InvalidArgument("x"), 2},   {Unimplemented("x"), 2},      {NotFound("x"), 3},
      {Unauthenticated("x"), 4},   {PermissionDenied("x"), 4},   {Unavailable("x"), 5},
      {AlreadyExists("x"), 6},     {FailedPrecondition("x"), 6}, {absl::AbortedError("x"), 6},
      {ResourceExhausted("x"), 8}, {DataLoss("x"), 9},           {DeadlineExceeded("x"), 124},
      {Cancelled("x"), 130}};
  for (const auto& [status, code] : table) {
    EXPECT_EQ(static_cast<int>(ExitCodeOf(status)), code) << status;
  }
}

TEST(FailureTest, TheCodesThatNoStatusHasKeepTheirNumbers) {
  EXPECT_EQ(static_cast<int>(ExitCode::kSomeRunsFailed), 7);
  EXPECT_EQ(static_cast<int>(ExitCode::kNotIdentifiable), 10);
}

TEST(FailureTest, TextSaysWhatWhereAndTheNextCommand) {
  const absl::Status status =
      WithHint(WithWhere(NotFound("no sweep \"x\""), "127.0.0.1:1"), "etude sweep ls");
  EXPECT_EQ(FailureText(status),
            "etude: no sweep \"x\"\n"
            "  at:  127.0.0.1:1\n"
            "  try: etude sweep ls\n");
}

TEST(FailureTest, AnUnreachableCoordinatorSaysHowToStartOne) {
  EXPECT_NE(FailureText(Unavailable("gone")).find("try: etude up"), std::string::npos);
}

TEST(FailureTest, TheFirstHintStays) {
  const absl::Status status = WithHint(WithHint(NotFound("x"), "first"), "second");
  EXPECT_NE(FailureText(status).find("first"), std::string::npos);
  EXPECT_EQ(FailureText(status).find("second"), std::string::npos);
}

TEST(FailureTest, JsonHasTheFiveKeys) {
  const Json error = Json::parse(FailureJson(WithHint(Unavailable("gone"), "etude up")))["error"];
  EXPECT_EQ(error["code"], "unreachable");
  EXPECT_EQ(error["message"], "gone");
  EXPECT_EQ(error["hint"], "etude up");
  EXPECT_EQ(error["retryable"], true);
  EXPECT_TRUE(error.contains("where"));
  EXPECT_EQ(Json::parse(FailureJson(NotFound("x")))["error"]["retryable"], false);
}

TEST(FailureTest, AnInvalidSpecNamesEveryPosition) {
  const std::vector<SpecDiagnostic> errors = {{"a.toml", {3, 7}, "unknown key", "  seed = 1", 2},
                                              {"a.toml", {9, 1}, "empty grid", "[[grid]]", 0}};
  const absl::Status status = SpecFailure(errors, "etude plan a.toml");
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage);
  const Json error = Json::parse(FailureJson(status))["error"];
  EXPECT_EQ(error["where"], Json({{"file", "a.toml"}, {"line", 3}, {"column", 7}}));
  EXPECT_EQ(error["errors"].size(), 2U);
  EXPECT_EQ(error["errors"][1]["message"], "empty grid");
  EXPECT_TRUE(FailureText(status).starts_with("a.toml:3:7: unknown key"));
}

TEST(FailureTest, AHostileMessageCannotDriveTheTerminal) {
  EXPECT_EQ(FailureText(NotFound("a\x1b]0;x\x07")).find('\x1b'), std::string::npos);
}

TEST(FailureTest, AFileThatMayNotBeReadIsNoAuthError) {
  EXPECT_EQ(ExitCodeOf(OfLocalFile(PermissionDenied("open x"))), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(OfLocalFile(NotFound("open x"))), ExitCode::kNotFound);
}

}  // namespace
}  // namespace etude
