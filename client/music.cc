// etude music convert, check
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/command.h"
#include "client/music_check.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/music/abc_clean.h"
#include "lib/music/abc_reader.h"
#include "lib/music/midi_convert.h"
#include "lib/music/midi_writer.h"

namespace etude {
namespace {

constexpr std::int64_t kMaxMusicFile = std::int64_t{1} << 30;

// convert

struct ConvertFlags {
  std::string in;
  std::string out;
  std::int64_t tune = 0;  // 0: the only one
};

struct Converted {
  std::string bytes;
  Score score;
  std::int64_t warnings = 0;
  std::string first_warning;
};

std::string Extension(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  const bool midi = extension == ".midi" || extension == ".kar" || extension == ".rmi";
  return midi ? ".mid" : extension;
}

absl::StatusOr<std::string_view> ChosenTune(std::string_view text, const ConvertFlags& flags) {
  const std::vector<std::string_view> tunes = SplitTunes(text);
  if (tunes.empty() && flags.tune <= 1) return text;
  if (flags.tune == 0 && tunes.size() > 1) {
    return WithHint(
        InvalidArgument(fmt::format("{} holds {} tunes; say which", flags.in, tunes.size())),
        fmt::format("etude music convert {} {} --tune 1", flags.in, flags.out));
  }
  const std::size_t index = flags.tune == 0 ? 0 : static_cast<std::size_t>(flags.tune - 1);
  if (index < tunes.size()) return tunes[index];
  return NotFound(
      fmt::format("{} has no tune {}; it holds {}", flags.in, flags.tune, tunes.size()));
}

absl::StatusOr<Converted> AbcToMidi(const std::string& text, const ConvertFlags& flags) {
  ASSIGN_OR_RETURN(const std::string_view tune, ChosenTune(text, flags));
  AbcReading reading = ReadAbc(tune);
  if (!reading.plays) {
    const std::string why =
        reading.warnings.empty() ? "there is no note" : reading.warnings.back().message;
    return WithHint(InvalidArgument(fmt::format("{} cannot be played: {}", flags.in, why)),
                    "etude music check " + flags.in);
  }
  Converted converted;
  converted.bytes = WriteMidi(reading.score);
  converted.score = std::move(reading.score);
  converted.warnings = reading.warning_count;
  if (!reading.warnings.empty()) {
    const AbcWarning& first = reading.warnings.front();
    converted.first_warning = fmt::format("{}:{}: {}", first.line, first.column, first.message);
  }
  return converted;
}

absl::StatusOr<Converted> MidiToAbc(const std::string& bytes, const ConvertFlags& flags) {
  MidiConversion conversion = ConvertMidi(bytes);
  if (conversion.abc.empty()) {
    return InvalidArgument(
        fmt::format("{} cannot be written as ABC: {}", flags.in, conversion.reason));
  }
  Converted converted;
  converted.score = ReadAbc(conversion.abc).score;
  converted.bytes = std::move(conversion.abc);
  converted.warnings = conversion.reason.empty() ? 0 : 1;
  converted.first_warning = conversion.reason;
  return converted;
}

absl::StatusOr<Converted> ConvertBytes(const std::string& bytes, const ConvertFlags& flags) {
  if (Extension(flags.in) == ".abc" && Extension(flags.out) == ".mid") {
    return AbcToMidi(bytes, flags);
  }
  if (Extension(flags.in) == ".mid" && Extension(flags.out) == ".abc") {
    return MidiToAbc(bytes, flags);
  }
  return WithHint(InvalidArgument(fmt::format("cannot convert {} to {}: from .abc to .mid or back",
                                              flags.in, flags.out)),
                  "etude music convert tune.abc tune.mid");
}

absl::StatusOr<ExitCode> Convert(Session& session, const ConvertFlags& flags) {
  const absl::StatusOr<std::string> bytes = ReadFile(flags.in, kMaxMusicFile);
  if (!bytes.ok()) return OfLocalFile(bytes.status());
  ASSIGN_OR_RETURN(const Converted converted, ConvertBytes(*bytes, flags));
  if (const absl::Status written = WriteFileAtomically(flags.out, converted.bytes); !written.ok()) {
    return OfLocalFile(written);
  }
  Report report;
  report.facts = {{{"in", "from"}, flags.in},
                  {{"out", "to"}, flags.out},
                  {{"voices", "voices", Show::kCount}, std::ssize(converted.score.voices)},
                  {{"notes", "notes", Show::kCount}, NoteCount(converted.score)},
                  {{"bytes", "size", Show::kBytes}, std::ssize(converted.bytes)},
                  {{"warnings", "warnings", Show::kCount}, converted.warnings},
                  {{"first_warning", "the first"},
                   converted.warnings > 0 ? Cell(converted.first_warning) : Cell()}};
  session.Print(report);
  return ExitCode::kOk;
}

void AddConvert(CommandTree& tree, CLI::App& noun) {
  const auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"convert",
       "Play a tune in ABC into a MIDI file, or write a MIDI file as ABC.",
       {"etude music convert tune.abc tune.mid", "etude music convert song.mid song.abc",
        "etude music convert samples.abc third.mid --tune 3"},
       "Repeats are played; titles, words and chord names are left out. What is wrong with the\n"
       "tune is said and played as far as it goes. For a tree of MIDI files: etude corpus "
       "convert."},
      [flags](Session& session) { return Convert(session, *flags); });
  command->add_option("in", flags->in, "an .abc or .mid file")->required()->type_name("IN");
  command->add_option("out", flags->out, "the .mid or .abc file to write")
      ->required()
      ->type_name("OUT");
  command->add_option("--tune", flags->tune, "which of the file's tunes, from 1")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
}

// check

absl::StatusOr<ExitCode> Check(Session& session, const std::vector<std::string>& files) {
  std::vector<CheckedTune> tunes;
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> text = ReadFile(file, kMaxMusicFile);
    if (!text.ok()) return OfLocalFile(text.status());
    std::vector<CheckedTune> checked = CheckTunes(file, *text);
    tunes.insert(tunes.end(), std::make_move_iterator(checked.begin()),
                 std::make_move_iterator(checked.end()));
  }
  const Session::World& world = session.world();
  RETURN_IF_ERROR(AskJudges(tunes, world.environment, world.program_dir));
  session.Print(CheckReport(tunes));
  return ExitCode::kOk;
}

void AddCheck(CommandTree& tree, CLI::App& noun) {
  const auto files = std::make_shared<std::vector<std::string>>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"check",
       "Say of each tune in ABC whether it lexes, has right bars, and plays.",
       {"etude music check samples.abc", "etude music check abc/folk/*.abc -o json"},
       "lexes: a key, and a meaning for every character of the music (V0). abcjs (V1) and "
       "abc2midi\n"
       "(V2) are asked where they are installed. bars right: as long as\n"
       "the meter says, but a bar beside a repeat or a double bar may be short (V3). plays: there\n"
       "are notes (V4). Failures are at LINE:COLUMN of the file; they do not change the exit "
       "code. json and csv carry the metrics of each tune, too."},
      [files](Session& session) { return Check(session, *files); });
  command->add_option("files", *files, "files of tunes")->required()->type_name("FILE...");
}

}  // namespace

void AddMusic(CommandTree& tree) {
  CLI::App* noun =
      AddNoun(tree, {"music",
                     "Convert and check single pieces of music.",
                     {"etude music convert tune.abc tune.mid", "etude music check samples.abc"},
                     ""});
  AddConvert(tree, *noun);
  AddCheck(tree, *noun);
}

}  // namespace etude
