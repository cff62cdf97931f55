#include "client/music_judges.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "client/external_command.h"
#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

using Json = nlohmann::json;

// Reads a list of tunes, writes a list of lists of warnings.
constexpr char kAbcjsScript[] = R"js(
const abcjs = require(process.argv[1]);
const tunes = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const judge = (tune) => {
  try {
    const parsed = abcjs.parseOnly(tune);
    return parsed.length ? parsed[0].warnings || [] : ['abcjs finds no tune'];
  } catch (error) {
    return ['abcjs failed: ' + error];
  }
};
process.stdout.write(JSON.stringify(tunes.map(judge)));
)js";

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// abcjs marks the place with HTML.
std::string WithoutTags(std::string_view text) {
  std::string plain;
  bool tag = false;
  for (const char c : text) {
    if (c == '<') tag = true;
    if (!tag) plain += c;
    if (c == '>') tag = false;
  }
  return plain;
}

std::string WithNumber(const std::string& tune) {
  return tune.starts_with("X:") ? tune : "X:1\n" + tune;
}

JudgedTune ReadAbc2midi(std::string_view output) {
  JudgedTune judged;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    const std::string line(output.substr(0, end));
    output.remove_prefix(std::min(end + 1, output.size()));
    if (Contains(line, " Bar ") && Contains(line, "time units while")) {
      if (judged.first_bar_complaint.empty()) judged.first_bar_complaint = line;
    } else if (Contains(line, "Error")) {
      if (judged.complaints++ == 0) judged.first_complaint = line;
    }
  }
  return judged;
}

JudgedTune Complaint(std::string text) {
  return {.first_complaint = std::move(text), .first_bar_complaint = {}, .complaints = 1};
}

absl::StatusOr<JudgedTune> RunAbc2midi(const std::string& file) {
  const absl::StatusOr<ExternalResult> result =
      RunExternal({.arguments = {"abc2midi", file, "-c"}, .limit = kAbc2midiLimit});
  if (result.status().code() == absl::StatusCode::kDeadlineExceeded) {
    return Complaint("abc2midi did not end in 10 s");
  }
  if (!result.ok()) return result.status();
  if (result->status != 0) {
    return Complaint("abc2midi ended with status " + std::to_string(result->status));
  }
  return ReadAbc2midi(result->out + "\n" + result->err);
}

// Empty: nowhere.
std::string FindAbcjs(const Environment& environment, const std::string& program_dir) {
  const std::array<std::string, 4> places = {
      environment("ETUDE_ABCJS").value_or(""),
      program_dir + "/../../.deps/npm/node_modules/abcjs",
      "/usr/local/lib/node_modules/abcjs",
      "/usr/lib/node_modules/abcjs",
  };
  for (const std::string& place : places) {
    if (!place.empty() && FileExists(place + "/package.json")) {
      std::error_code ignored;  // then the place is given as it is
      const auto whole = std::filesystem::canonical(place, ignored);
      return whole.empty() ? place : whole.string();
    }
  }
  return {};
}

absl::StatusOr<std::vector<JudgedTune>> ReadAbcjs(const std::string& output, std::size_t tunes) {
  const Json lists = Json::parse(output, nullptr, false);
  if (!lists.is_array() || lists.size() != tunes) {
    return Internal("abcjs answered with something else than a list for each tune");
  }
  std::vector<JudgedTune> judged;
  for (const Json& warnings : lists) {
    JudgedTune& tune = judged.emplace_back();
    for (const Json& warning : warnings) {
      if (tune.complaints++ > 0 || !warning.is_string()) continue;
      tune.first_complaint = WithoutTags(warning.get<std::string>());
    }
  }
  return judged;
}

}  // namespace

absl::StatusOr<std::vector<JudgedTune>> JudgeByAbc2midi(const std::vector<std::string>& tunes,
                                                        const Environment& environment) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TemporaryDirectory> folder,
                   TemporaryDirectory::Make(environment));
  const std::string file = folder->path() + "/tune.abc";
  std::vector<JudgedTune> judged;
  for (const std::string& tune : tunes) {
    RETURN_IF_ERROR(WriteFileAtomically(file, WithNumber(tune)));
    ASSIGN_OR_RETURN(JudgedTune verdict, RunAbc2midi(file));
    judged.push_back(std::move(verdict));
  }
  return judged;
}

absl::StatusOr<std::vector<JudgedTune>> JudgeByAbcjs(const std::vector<std::string>& tunes,
                                                     const Environment& environment,
                                                     const std::string& program_dir) {
  const std::string abcjs = FindAbcjs(environment, program_dir);
  if (abcjs.empty()) return NotFound("no abcjs: npm install -g abcjs, or name it in ETUDE_ABCJS");
  Json list = Json::array();
  for (const std::string& tune : tunes) list.push_back(WithNumber(tune));
  // Bytes that are no UTF-8 become U+FFFD, which abcjs complains of.
  const std::string input = list.dump(-1, ' ', false, Json::error_handler_t::replace);
  ASSIGN_OR_RETURN(const ExternalResult result,
                   RunExternal({.arguments = {"node", "-e", kAbcjsScript, abcjs},
                                .input = input,
                                .limit = kAbcjsLimit}));
  if (result.status != 0) return Internal("node: " + LastLineOf(result.err));
  return ReadAbcjs(result.out, tunes.size());
}

}  // namespace etude
