#include "client/output.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "client/display_text.h"

namespace etude {
namespace {

using Json = nlohmann::json;

Report TwoRows() {
  Report report{"sweeps",
                {},
                Table{{{"name", "name"},
                       {"runs", "runs", Show::kCount},
                       {"val_loss", "val", Show::kLoss},
                       {"secret", ""}},
                      {}},
                "no sweeps"};
  report.list->rows = {{std::string("first"), std::int64_t{12345}, 1.23456789, true},
                       {std::string("b"), std::int64_t{7}, Cell(), false}};
  return report;
}

TEST(OutputTest, TableAlignsNumbersRightAndHidesColumnsWithoutTitle) {
  EXPECT_EQ(Render(TwoRows(), OutputFormat::kTable),
            "name     runs     val\n"
            "first  12,345  1.2346\n"
            "b           7       -\n");
}

TEST(OutputTest, CsvCarriesEveryColumnWhole) {
  EXPECT_EQ(Render(TwoRows(), OutputFormat::kCsv),
            "name,runs,val_loss,secret\n"
            "first,12345,1.23456789,true\n"
            "b,7,,false\n");
}

TEST(OutputTest, JsonCarriesTheFormatVersionAndNulls) {
  const Json json = Json::parse(Render(TwoRows(), OutputFormat::kJson));
  EXPECT_EQ(json["format_version"], "1.0");
  EXPECT_EQ(json["sweeps"][0]["runs"], 12345);
  EXPECT_EQ(json["sweeps"][0]["val_loss"], 1.23456789);
  EXPECT_TRUE(json["sweeps"][1]["val_loss"].is_null());
}

TEST(OutputTest, NdjsonIsOneObjectALine) {
  EXPECT_EQ(Render(TwoRows(), OutputFormat::kNdjson),
            R"({"format_version":"1.0","name":"first","runs":12345,"val_loss":1.23456789,)"
            R"("secret":true})"
            "\n"
            R"({"format_version":"1.0","name":"b","runs":7,"val_loss":null,"secret":false})"
            "\n");
}

TEST(OutputTest, AnEmptyListIsStillJson) {
  Report report = TwoRows();
  report.list->rows.clear();
  EXPECT_EQ(Json::parse(Render(report, OutputFormat::kJson))["sweeps"], Json::array());
  EXPECT_EQ(Render(report, OutputFormat::kNdjson), "");
  EXPECT_EQ(Render(report, OutputFormat::kCsv), "name,runs,val_loss,secret\n");
  EXPECT_EQ(Render(report, OutputFormat::kTable), "no sweeps\n");
}

TEST(OutputTest, FactsAloneAreOneRow) {
  Report report;
  report.facts = {{{"sweep", "sweep", Show::kId}, std::string(64, 'f')},
                  {{"eta_s", "ETA", Show::kSeconds}, 190.0}};
  EXPECT_EQ(Render(report, OutputFormat::kTable), "sweep  ffffffffffff\nETA    3 min 10 s\n");
  EXPECT_EQ(Render(report, OutputFormat::kCsv), "sweep,eta_s\n" + std::string(64, 'f') + ",190\n");
}

TEST(OutputTest, CsvQuotesAsRfc4180Asks) {
  EXPECT_EQ(CsvCell(std::string("plain")), "plain");
  EXPECT_EQ(CsvCell(std::string("a,b")), "\"a,b\"");
  EXPECT_EQ(CsvCell(std::string("say \"x\"")), "\"say \"\"x\"\"\"");
  EXPECT_EQ(CsvCell(std::string("two\nlines")), "\"two\nlines\"");
  EXPECT_EQ(CsvCell(std::vector<std::string>{"a", "b"}), "a; b");
}

TEST(OutputTest, CsvDoublesRoundTrip) {
  for (const double value : {0.1, 1.0 / 3.0, 5e-324, 1.7976931348623157e308, -2.5}) {
    EXPECT_EQ(std::strtod(CsvCell(value).c_str(), nullptr), value) << CsvCell(value);
  }
}

TEST(OutputTest, ValuesThatJsonLacksAreNull) {
  Report report;
  report.facts = {{{"x", "x"}, std::numeric_limits<double>::infinity()}};
  EXPECT_TRUE(Json::parse(Render(report, OutputFormat::kJson))["x"].is_null());
}

TEST(OutputTest, WidthsCountWhatATerminalShows) {
  EXPECT_EQ(DisplayWidth("étude"), 5);
  EXPECT_EQ(DisplayWidth("e\xCC\x81tude"), 5);  // e and a combining acute
  EXPECT_EQ(DisplayWidth("音楽"), 4);
  EXPECT_EQ(DisplayWidth("\xFF"), 1);
}

TEST(OutputTest, TablesStayAlignedBehindUtf8) {
  Report report{"x", {}, Table{{{"name", "name"}, {"n", "n"}}, {}}, ""};
  report.list->rows = {{std::string("é"), std::int64_t{1}},
                       {std::string("音楽会"), std::int64_t{2}}};
  EXPECT_EQ(Render(report, OutputFormat::kTable), "name    n\né       1\n音楽会  2\n");
}

TEST(OutputTest, NoControlCharacterReachesTheTerminal) {
  EXPECT_EQ(ShownCell(std::string("a\x1b[2Jb\r\nc\x7f"), Show::kPlain), "a?[2Jb? c?");
  EXPECT_EQ(Printable("x\xE2\x80\xAEy"), "x?y");  // right-to-left override
}

TEST(OutputTest, ColourIsOnlyWhereItIsAskedFor) {
  EXPECT_EQ(Render(TwoRows(), OutputFormat::kTable).find('\x1b'), std::string::npos);
  EXPECT_NE(Render(TwoRows(), OutputFormat::kTable, {.color = true}).find('\x1b'),
            std::string::npos);
}

TEST(OutputTest, PeopleReadDurationsAndSizes) {
  EXPECT_EQ(DurationText(3.25), "3.2 s");
  EXPECT_EQ(DurationText(59), "59 s");
  EXPECT_EQ(DurationText(3600), "1 h 00 min");
  EXPECT_EQ(DurationText(-1), "-");
  EXPECT_EQ(BytesText(512), "512 B");
  EXPECT_EQ(BytesText(1.5 * 1024 * 1024), "1.5 MiB");
  EXPECT_EQ(GroupedDigits(-1234567), "-1,234,567");
  EXPECT_EQ(GroupedDigits(100), "100");
}

}  // namespace
}  // namespace etude
