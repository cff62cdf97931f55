#include "tests/bench/music_bench.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/music/midi_convert.h"
#include "lib/music/midi_reader.h"
#include "lib/music/midi_writer.h"
#include "tests/bench/machine_facts.h"
#include "tests/bench/statistics.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

constexpr int kOwnFiles = 20;
constexpr int kLeastPasses = 5;

struct MidiFile {
  std::string path;
  std::string bytes;
};

// Six voices, drums among them, in 32 bars: about 1,200 notes.
Score SmallScore(int seed) {
  Score score;
  score.ticks_per_quarter = 480;
  score.meters = {{.at = 0, .beats = 4, .unit = 4}};
  for (int voice = 0; voice < 6; ++voice) {
    score.voices.push_back({.name = {}, .program = voice * 8, .drums = voice == 5, .notes = {}});
    for (int i = 0; i < 200; ++i) {
      const int step = (i * 7 + voice * 5 + seed) % 12;
      score.voices.back().notes.push_back({.onset = i * 300 / 120 * 120,
                                           .duration = 110 + 120 * (step % 3),
                                           .pitch = 40 + voice * 6 + step});
    }
  }
  Normalize(score);
  return score;
}

absl::StatusOr<std::vector<MidiFile>> FilesOf(const std::string& dir, const std::string& own) {
  std::vector<MidiFile> files;
  if (dir.empty()) {
    for (int i = 0; i < kOwnFiles; ++i) {
      files.push_back({fmt::format("{}/{}.mid", own, i), WriteMidi(SmallScore(i))});
      RETURN_IF_ERROR(WriteFileAtomically(files.back().path, files.back().bytes));
    }
    return files;
  }
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".mid" && extension != ".midi") continue;
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(entry.path().string(), kMaxMidiBytes));
    files.push_back({entry.path().string(), std::move(bytes)});
  }
  if (files.empty()) return NotFound("no .mid files below " + dir);
  std::ranges::sort(files, {}, &MidiFile::path);
  return files;
}

// Median milliseconds a file, over whole passes.
double MsAFile(const std::vector<MidiFile>& files, double seconds,
               const std::function<void(const MidiFile&)>& each) {
  std::vector<double> passes;
  double passed = 0;
  while (passed < seconds || std::ssize(passes) < kLeastPasses) {
    const absl::Time begin = SystemClock().MonotonicNow();
    for (const MidiFile& file : files) each(file);
    const absl::Duration took = SystemClock().MonotonicNow() - begin;
    passed += absl::ToDoubleSeconds(took);
    passes.push_back(absl::ToDoubleMilliseconds(took) / static_cast<double>(files.size()));
  }
  return Median(passes);
}

// False: it cannot be started.
bool RunMidi2abc(const std::string& path) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::string program = "midi2abc";
  std::string file = path;
  char* const arguments[] = {program.data(), file.data(), nullptr};
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, "midi2abc", &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return false;
  int status = 0;
  waitpid(pid, &status, 0);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

using Numbers = std::vector<std::pair<std::string, double>>;

MusicBenchReport ReportOf(const Numbers& numbers, bool with_midi2abc) {
  MusicBenchReport report;
  nlohmann::ordered_json results = nlohmann::ordered_json::object();
  for (const auto& [key, value] : numbers) {
    report.text += fmt::format("{:<16} {:.4g}\n", key, value);
    results[key] = value;
  }
  nlohmann::ordered_json notes = nlohmann::ordered_json::array();
  if (!with_midi2abc) notes.push_back("midi2abc is not installed: not compared");
  if (!with_midi2abc) report.text += "midi2abc is not installed: not compared\n";
  const MachineFacts machine = DescribeThisMachine();
  const nlohmann::ordered_json json = {
      {"format_version", "1.0"},
      {"bench", "music"},
      {"machine", {{"cpu", machine.cpu}, {"cores", machine.cores}, {"load_1m", machine.load_1m}}},
      {"results", results},
      {"notes", notes}};
  report.json = json.dump(2) + "\n";
  return report;
}

}  // namespace

absl::StatusOr<MusicBenchReport> RunMusicBench(const MusicBenchOptions& options) {
  std::string own = (fs::temp_directory_path() / "etude_music_bench_XXXXXX").string();
  if (mkdtemp(own.data()) == nullptr) return FromErrno(errno, "make a directory in /tmp");
  const absl::StatusOr<std::vector<MidiFile>> files = FilesOf(options.files, own);
  if (!files.ok()) return files.status();
  double bytes = 0;
  double notes = 0;
  for (const MidiFile& file : *files) {
    bytes += static_cast<double>(file.bytes.size());
    notes += static_cast<double>(ReadMidi(file.bytes).notes);
  }
  std::int64_t kept = 0;  // so that nothing is optimised away
  const double parse_ms = MsAFile(
      *files, options.seconds, [&](const MidiFile& file) { kept += ReadMidi(file.bytes).notes; });
  const double convert_ms = MsAFile(*files, options.seconds, [&](const MidiFile& file) {
    kept += ConvertMidi(file.bytes).notes_out;
  });
  const double per_s = 1000 / convert_ms;
  const auto count = static_cast<double>(files->size());
  Numbers numbers = {{"files", count},
                     {"notes_per_file", notes / count},
                     {"parse_ms", parse_ms},
                     {"convert_ms", convert_ms},
                     {"files_per_s", per_s},
                     {"notes_per_s", per_s * notes / count},
                     {"mib_per_s", per_s * bytes / count / (1 << 20)}};
  const bool with_midi2abc = kept > 0 && RunMidi2abc(files->front().path);
  if (with_midi2abc) {
    const double theirs_ms =
        MsAFile(*files, options.seconds, [](const MidiFile& file) { RunMidi2abc(file.path); });
    numbers.emplace_back("midi2abc_ms", theirs_ms);
    numbers.emplace_back("times_midi2abc", theirs_ms / convert_ms);
  }
  fs::remove_all(own);
  return ReportOf(numbers, with_midi2abc);
}

}  // namespace etude
