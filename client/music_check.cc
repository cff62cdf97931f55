#include "client/music_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "client/music_judges.h"
#include "lib/base/status.h"
#include "lib/music/abc_clean.h"
#include "lib/music/abc_reader.h"

namespace etude {
namespace {

// Line ends before `at`; "\r\n" is one.
int LinesBefore(std::string_view text, std::size_t at) {
  int lines = 0;
  for (std::size_t i = 0; i < at; ++i) {
    const bool is_crlf = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if ((text[i] == '\n' || text[i] == '\r') && !is_crlf) ++lines;
  }
  return lines;
}

CheckedLevel LevelOf(bool holds, const AbcReading& reading, int first_line,
                     std::initializer_list<AbcFault> faults) {
  CheckedLevel level{holds, ""};
  if (holds) return level;
  const auto fault = std::ranges::find_if(reading.warnings, [&](const AbcWarning& warning) {
    return std::ranges::find(faults, warning.fault) != faults.end();
  });
  level.reason =
      fault == reading.warnings.end()
          ? "beyond the first faults, which are all that are listed"
          : fmt::format("{}:{}: {}", first_line + fault->line, fault->column, fault->message);
  return level;
}

CheckedTune CheckTune(std::string_view text, int first_line) {
  const AbcReading reading = ReadAbc(text);
  CheckedTune tune;
  tune.text = text;
  tune.title = reading.header.title;
  tune.lexes =
      LevelOf(reading.lexes, reading, first_line, {AbcFault::kNoKey, AbcFault::kUnknownText});
  tune.bars =
      LevelOf(reading.bars_right, reading, first_line, {AbcFault::kBarLong, AbcFault::kBarShort});
  tune.plays = LevelOf(reading.plays, reading, first_line,
                       {AbcFault::kNoKey, AbcFault::kNoMusic, AbcFault::kTooLarge});
  tune.metrics = MeasureMusic(reading.score);
  tune.notes = NoteCount(reading.score);
  tune.bar_count = std::ssize(reading.bars);
  tune.faults = reading.warning_count;
  return tune;
}

CheckedLevel Judged(const std::string& complaint) { return {complaint.empty(), complaint}; }

// Both a count and, for a tune, true, false or nothing.
struct JudgedColumn {
  const char* key;
  const char* title;
  std::optional<CheckedLevel> CheckedTune::*level;
};
constexpr JudgedColumn kJudged[] = {
    {"abcjs", "abcjs (V1)", &CheckedTune::abcjs},
    {"abc2midi", "abc2midi (V2)", &CheckedTune::abc2midi},
    {"abc2midi_bars", "abc2midi's bars (V3)", &CheckedTune::abc2midi_bars},
};

std::string MetricKey(const NamedMetric& metric) { return "metric_" + std::string(metric.name); }

Cell CountOf(const JudgedColumn& column, const std::vector<CheckedTune>& tunes) {
  std::int64_t holding = 0;
  bool asked = false;
  for (const CheckedTune& tune : tunes) {
    const std::optional<CheckedLevel>& level = tune.*column.level;
    asked = asked || level.has_value();
    holding += level && level->holds ? 1 : 0;
  }
  return asked ? Cell(holding) : Cell();
}

// What a table shows: the first level that fails.
std::string FirstReason(const CheckedTune& tune) {
  for (const CheckedLevel* level : {&tune.lexes, &tune.bars, &tune.plays}) {
    if (!level->holds) return level->reason;
  }
  for (const JudgedColumn& column : kJudged) {
    const std::optional<CheckedLevel>& level = tune.*column.level;
    if (level && !level->holds) return level->reason;
  }
  return "";
}

}  // namespace

std::vector<CheckedTune> CheckTunes(const std::string& file, std::string_view text) {
  std::vector<std::string_view> parts = SplitTunes(text);
  if (parts.empty()) parts.push_back(text);
  std::vector<CheckedTune> tunes;
  int line = 0;
  std::size_t at = 0;
  for (const std::string_view part : parts) {
    const auto start = static_cast<std::size_t>(part.data() - text.data());
    line += LinesBefore(text.substr(at), start - at);
    at = start;
    tunes.push_back(CheckTune(part, line));
    tunes.back().file = file;
    tunes.back().tune = std::ssize(tunes);
  }
  return tunes;
}

absl::Status AskJudges(std::vector<CheckedTune>& tunes, const Environment& environment,
                       const std::string& program_dir) {
  std::vector<std::string> texts;
  for (const CheckedTune& tune : tunes) texts.push_back(tune.text);
  const auto abcjs = JudgeByAbcjs(texts, environment, program_dir);
  if (!abcjs.ok() && !absl::IsNotFound(abcjs.status())) return abcjs.status();
  const auto abc2midi = JudgeByAbc2midi(texts, environment);
  if (!abc2midi.ok() && !absl::IsNotFound(abc2midi.status())) return abc2midi.status();
  for (std::size_t i = 0; i < tunes.size(); ++i) {
    if (abcjs.ok()) tunes[i].abcjs = Judged((*abcjs)[i].first_complaint);
    if (!abc2midi.ok()) continue;
    tunes[i].abc2midi = Judged((*abc2midi)[i].first_complaint);
    tunes[i].abc2midi_bars = Judged((*abc2midi)[i].first_bar_complaint);
  }
  return absl::OkStatus();
}

Report CheckReport(const std::vector<CheckedTune>& tunes) {
  Report report{"tunes",
                {},
                Table{{{"file", "file"},
                       {"tune", "tune"},
                       {"title", "title"},
                       {"lexes", "lexes"},
                       {"bars", "bars right"},
                       {"plays", "plays"},
                       {"notes", "notes", Show::kCount},
                       {"bar_count", ""},
                       {"faults", "faults", Show::kCount},
                       {"reason", "first failure"},
                       {"lexes_reason", ""},
                       {"bars_reason", ""},
                       {"plays_reason", ""},
                       {"abcjs_reason", ""},
                       {"abc2midi_reason", ""},
                       {"abc2midi_bars_reason", ""}},
                      {}},
                "no tunes"};
  for (const NamedMetric& metric : ListMetrics({})) {
    report.list->columns.push_back({MetricKey(metric), ""});
  }
  std::int64_t lexes = 0;
  std::int64_t bars = 0;
  std::int64_t plays = 0;
  for (const CheckedTune& tune : tunes) {
    lexes += tune.lexes.holds ? 1 : 0;
    bars += tune.bars.holds ? 1 : 0;
    plays += tune.plays.holds ? 1 : 0;
    report.list->rows.push_back({tune.file, tune.tune, tune.title, tune.lexes.holds,
                                 tune.bars.holds, tune.plays.holds, tune.notes, tune.bar_count,
                                 tune.faults, FirstReason(tune), tune.lexes.reason,
                                 tune.bars.reason, tune.plays.reason});
    for (const JudgedColumn& column : kJudged) {
      const std::optional<CheckedLevel>& level = tune.*column.level;
      report.list->rows.back().push_back(level ? Cell(level->reason) : Cell());
    }
    for (const NamedMetric& metric : ListMetrics(tune.metrics)) {
      report.list->rows.back().push_back(CellOf(metric.value));
    }
  }
  report.facts = {{{"checked", "tunes", Show::kCount}, std::ssize(tunes)},
                  {{"lex", "lex (V0)", Show::kCount}, lexes},
                  {{"bars_right", "bars right (V3)", Show::kCount}, bars},
                  {{"play", "play (V4)", Show::kCount}, plays}};
  for (const JudgedColumn& column : kJudged) {
    report.facts.push_back({{column.key, column.title, Show::kCount}, CountOf(column, tunes)});
  }
  return report;
}

}  // namespace etude
