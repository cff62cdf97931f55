#include <gtest/gtest.h>

#include "lib/base/status.h"
#include "lib/scaling/fit_csv.h"
#include "tests/unit/fit/planted.h"

namespace etude {
namespace {

constexpr FitRow kNone = {};

absl::StatusOr<std::vector<FitRow>> Parse(const std::string& text,
                                          const std::string& map = "n=N,d=D,loss=L") {
  return ParseFitCsv(text, ParseFitColumns(map).value(), "t.csv");
}

std::string ErrorOf(const std::string& text) { return MessageOf(Parse(text).status()); }

TEST(FitCsvTest, ReadsTheColumnsThatTheMapNames) {
  const auto rows =
      Parse("x,L,N,D,U,g,C\n1,2.5,1e4,2e6,1e6,trunk a,6e10\n", "n=N,d=D,loss=L,u=U,group=g,c=C");
  ASSERT_TRUE(rows.ok()) << MessageOf(rows.status());
  const FitRow& row = rows->at(0);
  EXPECT_EQ(row.n, 1e4);
  EXPECT_EQ(row.d, 2e6);
  EXPECT_EQ(row.u, 1e6);
  EXPECT_EQ(row.loss, 2.5);
  EXPECT_EQ(row.flops, 6e10);
  EXPECT_EQ(row.group, "trunk a");
  EXPECT_EQ(row.run_key, "t.csv:2");
  EXPECT_EQ(row.seed, kNone.seed);
}

TEST(FitCsvTest, QuotesLineEndsAndByteOrderMarkAreRfc4180) {
  const auto rows =
      Parse("\xEF\xBB\xBF\"a \"\"b\"\", c\",N,D,L\r\n\"two\nlines\",1,2,3\r\n\r\nz,4,5,\"6\"");
  ASSERT_TRUE(rows.ok()) << MessageOf(rows.status());
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(rows->at(1).loss, 6);
  EXPECT_EQ(rows->at(0).run_key, "t.csv:2");
  EXPECT_EQ(rows->at(1).run_key, "t.csv:5") << "a quoted line end counts as a line";
}

TEST(FitCsvTest, BadValuesAreNamedByLineAndColumn) {
  for (const char* bad : {"nan", "inf", "-1", "0", "", "2.5x", "0x10", "1,5"}) {
    const std::string quoted = "\"" + std::string(bad) + "\"";
    const std::string error = ErrorOf("N,D,L\n1,2,3\n1,2," + quoted + "\n");
    EXPECT_NE(error.find("t.csv:3: column \"L\": " + quoted), std::string::npos) << error;
  }
}

TEST(FitCsvTest, ARowOfAnotherWidthIsNamed) {
  EXPECT_NE(ErrorOf("N,D,L\n1,2\n").find("t.csv:2: 2 columns where the header has 3"),
            std::string::npos);
}

TEST(FitCsvTest, AMissingColumnListsTheHeader) {
  const std::string error = ErrorOf("N,D,loss\n1,2,3\n");
  EXPECT_NE(error.find("no column \"L\"; the header has \"N\", \"D\", \"loss\""), std::string::npos)
      << error;
  EXPECT_NE(ErrorOf("N,D,L,L\n1,2,3,4\n").find("two columns are called \"L\""), std::string::npos);
}

TEST(FitCsvTest, BrokenQuotesAreRefused) {
  EXPECT_NE(ErrorOf("N,D,L\n1,2,\"3\n").find("never closes"), std::string::npos);
  EXPECT_NE(ErrorOf("N,D,L\n1,2,\"3\"4\n").find("after the closing quote"), std::string::npos);
  EXPECT_NE(ErrorOf("N,D,L\n1,2\"3\",4\n").find("inside a bare value"), std::string::npos);
}

TEST(FitCsvTest, EmptyAndOversizedFilesAreRefused) {
  EXPECT_NE(ErrorOf("").find("empty"), std::string::npos);
  EXPECT_NE(ErrorOf("N,D,L\n").find("no rows"), std::string::npos);
  EXPECT_FALSE(Parse(std::string(kMaxCsvBytes + 1, 'x')).ok());
  EXPECT_FALSE(Parse("N,D,L" + std::string(kMaxCsvColumns, ',') + "\n").ok());
  std::string many = "N,D,L\n";
  for (std::size_t i = 0; i <= kMaxFitRows; ++i) many += "1,2,3\n";
  EXPECT_NE(ErrorOf(many).find("more than 10000 rows"), std::string::npos);
}

TEST(FitCsvTest, ColumnMapsMustNameWhatIsNeeded) {
  for (const char* map :
       {"", "n=N", "n=N,d=D,loss=", "n=N,d=D,loss=L,n=M", "n=N,d=D,loss=L,q=Q", "n=N,d=D,loss"}) {
    EXPECT_FALSE(ParseFitColumns(map).ok()) << map;
  }
}

TEST(FitCsvTest, TokenizationsAreNeverMixed) {
  const std::string text = "N,D,L,tokenizer\n1,2,3,char\n2,3,4,char\n4,5,6,remi\n";
  EXPECT_EQ(ErrorOf(text),
            "t.csv:4: tokenizer \"remi\", but \"char\" in line 2: a fit never mixes them, since "
            "their losses have no common law; fit each with --where \"tokenizer=remi\"");
  const auto one = ParseFitCsv(text, ParseFitColumns("n=N,d=D,loss=L").value(), "t.csv",
                               ParseWhere("tokenizer=char").value());
  ASSERT_TRUE(one.ok()) << MessageOf(one.status());
  EXPECT_EQ(one->size(), 2u);
}

}  // namespace
}  // namespace etude
