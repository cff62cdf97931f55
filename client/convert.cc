// etude corpus convert
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <thread>

#include "client/command.h"
#include "client/convert_report.h"
#include "client/corpus_convert.h"
#include "client/signals.h"
#include "lib/base/status.h"
#include "lib/music/abc_layout.h"
#include "lib/music/quantize.h"

namespace etude {
namespace {

struct ConvertFlags {
  std::string src;
  std::string dst;
  int jobs = 0;
  std::string grid = "auto";
  std::string layout = "voices";
};

absl::StatusOr<CorpusConvertOptions> OptionsOf(const ConvertFlags& flags) {
  CorpusConvertOptions options{
      .src = flags.src, .dst = flags.dst, .jobs = flags.jobs, .convert = {}};
  if (options.jobs == 0) options.jobs = static_cast<int>(std::thread::hardware_concurrency());
  options.jobs = std::clamp(options.jobs, 1, kMaxConvertJobs);
  if (flags.grid != "auto") {
    int grid = 0;
    const char* end = flags.grid.data() + flags.grid.size();
    const auto parsed = std::from_chars(flags.grid.data(), end, grid);
    if (parsed.ptr != end || !IsGrid(grid)) {
      return InvalidArgument("--grid \"" + flags.grid +
                             "\" is none of auto, 1, 2, 3, 4, 6, 8, 12, 16, 24 steps a quarter");
    }
    options.convert.grid = grid;
  }
  const std::optional<AbcLayout> layout = AbcLayoutFromName(flags.layout);
  if (!layout) return InvalidArgument("--layout \"" + flags.layout + "\" is not voices or bars");
  options.convert.layout = *layout;
  return options;
}

absl::StatusOr<ExitCode> Convert(Session& session, const ConvertFlags& flags) {
  const std::string again = fmt::format("etude corpus convert {} {}", flags.src, flags.dst);
  const absl::StatusOr<CorpusConvertOptions> options = OptionsOf(flags);
  if (!options.ok()) return WithHint(options.status(), again);
  Signals signals;
  const std::unique_ptr<Progress> progress = session.MakeProgress();
  const absl::Time begin = session.clock().MonotonicNow();
  const auto passed = [&] { return absl::ToDoubleSeconds(session.clock().MonotonicNow() - begin); };
  CorpusConvertCalls calls;
  calls.stopped = [&] { return signals.count() > 0; };
  calls.on_progress = [&](const CorpusConvertCounts& counts) {
    progress->Update(ConvertProgressText(counts, passed()));
  };
  const absl::StatusOr<CorpusConvertCounts> counts =
      ConvertCorpus(*options, session.clock(), calls);
  progress->Clear();
  if (absl::IsCancelled(counts.status())) {
    session.Say(MessageOf(counts.status()) + ": " + again);
    return ExitCode::kInterrupted;
  }
  if (!counts.ok()) return WithHint(OfLocalFile(counts.status()), again);
  session.Print(ConvertedReport(flags.dst, *counts, passed()));
  if (counts->f1.empty()) {
    return WithHint(DataLoss("none of the files could be converted"),
                    "look at the reasons in " + flags.dst + "/" + kConvertManifestName);
  }
  session.Say("next: etude corpus build " + flags.dst + " CORPUS_DIR --tokenizer char");
  return ExitCode::kOk;
}

}  // namespace

void AddCorpusConvert(CommandTree& tree, CLI::App& noun) {
  const auto flags = std::make_shared<ConvertFlags>();
  CLI::App* command =
      AddCommand(tree, noun,
                 {"convert",
                  "Convert a tree of MIDI files to ABC.",
                  {"etude corpus convert midi/lakh abc/lakh --jobs 8",
                   "etude corpus convert midi/game abc/game --layout bars -o json"},
                  "Each PATH becomes DST/PATH.abc; DST/manifest.ndjson says of each what it was, "
                  "why it may be\n"
                  "less than whole, and how many of its notes the text gives back. One bad file "
                  "stops nothing;\n"
                  "what was done is not done again. Equal files are converted once."},
                 [flags](Session& session) { return Convert(session, *flags); });
  command->add_option("src", flags->src, "a tree of .mid, .midi, .rmi and .kar files, or one")
      ->required()
      ->type_name("SRC");
  command->add_option("dst", flags->dst, "the directory of the .abc files")
      ->required()
      ->type_name("DST");
  command->add_option("--jobs", flags->jobs, "files at a time (default: the machine's cores)")
      ->type_name("N")
      ->check(CLI::Range(1, kMaxConvertJobs));
  command
      ->add_option("--grid", flags->grid,
                   "steps per quarter: 1, 2, 3, 4, 6, 8, 12, 16, 24 (default: auto, by the notes)")
      ->type_name("G");
  command
      ->add_option("--layout", flags->layout,
                   "voices: one after another; bars: a bar of all voices a line (default: voices)")
      ->type_name("L");
}

}  // namespace etude
