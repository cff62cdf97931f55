// Filters: what matches, and what is refused with its place.
#include "lib/scaling/where.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "lib/base/status.h"

namespace etude {
namespace {

using testing::HasSubstr;

absl::StatusOr<bool> Ask(const std::string& text) {
  const std::map<std::string, std::string, std::less<>> row = {
      {"family", "lstm"}, {"shape", "1x24"}, {"tokens", "299520"}, {"loss", ""}, {"note", "a b"}};
  const absl::StatusOr<Where> where = ParseWhere(text);
  if (!where.ok()) return where.status();
  return Matches(*where, [&](std::string_view column) -> std::optional<std::string> {
    const auto found = row.find(column);
    return found == row.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(WhereTest, TermsAreJoinedByAnd) {
  for (const char* yes :
       {"", "family=lstm", " family = lstm and tokens<300k ", "family!=transformer",
        "tokens>=299520 and tokens<=299520", "note=\"a b\"", "tokens==299520",
        "shape=1x24 and tokens<1M and tokens>0.2M"}) {
    EXPECT_EQ(Ask(yes).value(), true) << yes;
  }
  for (const char* no :
       {"family=transformer", "family=lstm and tokens>300k", "tokens=299521", "note=a", "loss<3"}) {
    EXPECT_EQ(Ask(no).value(), false) << no;
  }
}

TEST(WhereTest, NumbersCompareAsNumbers) {
  EXPECT_TRUE(Ask("tokens<1e6").value());
  EXPECT_TRUE(Ask("tokens>99").value()) << "as text, 299520 comes before 99";
  EXPECT_TRUE(Ask("tokens=299.52k").value());
}

TEST(WhereTest, WhatCannotBeReadShowsItsPlace) {
  for (const char* bad : {"family", "family=", "=lstm", "family=lstm or tokens<3", "family lstm",
                          "note=\"a", "family=lstm and"}) {
    const absl::StatusOr<bool> asked = Ask(bad);
    EXPECT_EQ(asked.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(MessageOf(asked.status()), HasSubstr("at character")) << bad;
  }
  EXPECT_FALSE(ParseWhere(std::string(kMaxWhereBytes + 1, ' ')).ok());
}

TEST(WhereTest, UnknownColumnsAndOrdersOfTextsAreRefused) {
  EXPECT_THAT(MessageOf(Ask("famly=lstm").status()), HasSubstr("no column \"famly\""));
  EXPECT_THAT(MessageOf(Ask("family<lstm").status()), HasSubstr("only = and !="));
}

}  // namespace
}  // namespace etude
