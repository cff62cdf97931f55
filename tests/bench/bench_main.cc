// etude-bench: reads flags, makes a bed for one benchmark, runs it and prints what it measured.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "lib/base/status.h"
#include "tests/bench/bench.h"
#include "tests/bench/bench_bed.h"
#include "tests/bench/bench_client.h"
#include "tests/bench/bench_report.h"
#include "tests/bench/machine_facts.h"
#include "tests/bench/music_bench.h"
#include "tests/bench/statistics.h"

namespace etude {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kMinRepeats = 5;
constexpr int kMaxRepeats = 1000;
constexpr int kMaxSeconds = 3600;
constexpr int kMaxConnections = 1000;
constexpr double kDefaultSeconds[] = {2, 10};  // of a timed phase, by scale

constexpr char kExamples[] =
    "Examples:\n"
    "  etude-bench ingest\n"
    "      at small scale, in a temporary directory under $TMPDIR or /var/tmp\n"
    "  etude-bench recover --scale full --state /srv -o json\n"
    "      10^5 jobs and 10^7 points, in a temporary directory under /srv\n\n"
    "It starts its own etude-coordinator, the one beside it, and removes what it made.\n"
    "Exit codes: 0 measured, 1 failed, 2 usage.\n";

struct Flags {
  std::string bench;
  std::string output = "table";
  std::string scale = "small";
  std::optional<double> seconds;
  std::string state;
  BenchOptions options;
};

std::string ProgramDirectory() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "." : self.parent_path().string();
}

BenchPlace PlaceOf(const Flags& flags) {
  BenchPlace place;
  place.coordinator = ProgramDirectory() + "/etude-coordinator";
  const char* temporary = std::getenv("TMPDIR");
  place.parent = temporary != nullptr && *temporary != '\0' ? temporary : "/var/tmp";
  if (!flags.state.empty()) place.parent = flags.state;
  place.may_live_in_memory = !flags.state.empty();
  return place;
}

BenchOptions OptionsOf(const Flags& flags) {
  BenchOptions options = flags.options;
  options.scale = flags.scale == "full" ? Scale::kFull : Scale::kSmall;
  const double by_scale = kDefaultSeconds[options.scale == Scale::kFull ? 1 : 0];
  options.length = absl::Seconds(flags.seconds.value_or(by_scale));
  return options;
}

absl::StatusOr<BenchReport> Measure(const Bench& bench, const Flags& flags) {
  BenchReport report;
  report.bench = &bench;
  report.machine = DescribeThisMachine();
  const BenchOptions options = OptionsOf(flags);
  report.scale = options.scale;
  ASSIGN_OR_RETURN(const std::unique_ptr<BenchBed> bed, BenchBed::Make(PlaceOf(flags)));
  report.file_system = bed->file_system();
  ASSIGN_OR_RETURN(const v1::GetInfoResponse info, BenchClient(bed->address()).Info());
  report.software = info.software() + ", SQLite " + info.sqlite_version();
  DiskProbe disk(bed->directory());
  RETURN_IF_ERROR(disk.Measure());
  ASSIGN_OR_RETURN(report.outcome, bench.run(*bed, options));
  RETURN_IF_ERROR(disk.Measure());
  report.fsync_p50_ms = Percentile(disk.fsync_ms(), 0.50);
  report.fsync_p99_ms = Percentile(disk.fsync_ms(), 0.99);
  report.fdatasync_p50_ms = Percentile(disk.fdatasync_ms(), 0.50);
  report.fdatasync_p99_ms = Percentile(disk.fdatasync_ms(), 0.99);
  return report;
}

int Run(const Bench& bench, const Flags& flags) {
  const absl::StatusOr<BenchReport> report = Measure(bench, flags);
  if (!report.ok()) {
    fmt::print(stderr, "etude-bench {}: {}\n", bench.name, MessageOf(report.status()));
    return kExitFailed;
  }
  fmt::print("{}", flags.output == "json" ? ReportJson(*report) : ReportTable(*report));
  return 0;
}

int RunMusic(const MusicBenchOptions& options, const std::string& output) {
  const absl::StatusOr<MusicBenchReport> report = RunMusicBench(options);
  if (!report.ok()) {
    fmt::print(stderr, "etude-bench music: {}\n", MessageOf(report.status()));
    return kExitFailed;
  }
  fmt::print("{}", output == "json" ? report->json : report->text);
  return 0;
}

CLI::App* AddMusic(CLI::App& app, MusicBenchOptions& options, std::string& output) {
  CLI::App* command = app.add_subcommand("music", "MIDI to ABC on one core, beside midi2abc");
  command->add_option("-o,--output", output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command->add_option("--files", options.files, "a directory of .mid files; default: its own")
      ->check(CLI::ExistingDirectory);
  command->add_option("--seconds", options.seconds, "of each timed phase; default 2")
      ->check(CLI::Range(0.1, static_cast<double>(kMaxSeconds)));
  command->footer(
      "Examples:\n"
      "  etude-bench music\n"
      "  etude-bench music --files midi/game -o json\n");
  return command;
}

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("-o,--output", flags.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  app.add_option("--scale", flags.scale, "small or full")->check(CLI::IsMember({"small", "full"}));
  app.add_option("--seconds", flags.seconds, "of each timed phase; default 2, at full scale 10")
      ->check(CLI::Range(0.1, static_cast<double>(kMaxSeconds)));
  app.add_option("--repeats", flags.options.repeats, "default and least 5")
      ->check(CLI::Range(kMinRepeats, kMaxRepeats));
  app.add_option("--state", flags.state, "directory to make the temporary state in; even a tmpfs")
      ->check(CLI::ExistingDirectory);
  app.add_option("--connections", flags.options.connections,
                 "that the simulated workers share; default 16")
      ->check(CLI::Range(1, kMaxConnections));
}

}  // namespace

std::span<const Bench> Benches() {
  using Kind = Target::Kind;
  static const auto& benches = *new std::vector<Bench>{
      {"ingest",
       "loss points made durable, and batches sent again",
       {{"points_per_s", Kind::kAtLeast, 100'000}, {"ack_p99_ms", Kind::kBelow, 50}},
       RunIngest},
      {"dispatch",
       "jobs from submission to success, and the wait of an idle worker",
       {{"cycles_per_s", Kind::kAtLeast, 2000},
        {"idle_p50_ms", Kind::kBelow, 2},
        {"idle_p99_ms", Kind::kBelow, 10}},
       RunDispatch},
      {"submit", "one large sweep", {{"submit_s", Kind::kBelow, 1}}, RunSubmit},
      {"fleet",
       "a thousand workers, idle and after a kill",
       {{"rss_mib", Kind::kBelow, 256},
        {"cpu_percent", Kind::kBelow, 5},
        {"reconnect_s", Kind::kBelow, 10},
        {"leases_lost", Kind::kBelow, 1}},
       RunFleet},
      {"recover", "from a kill to the next lease", {{"recover_s", Kind::kBelow, 2}}, RunRecover},
      {"query",
       "curves and lists of a large store",
       {{"curve_p99_ms", Kind::kBelow, 50}, {"list_p99_ms", Kind::kBelow, 50}},
       RunQuery}};
  return benches;
}

}  // namespace etude

int main(int argc, char** argv) {
  // The library's own log would mix with what people read.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Measures a coordinator under simulated workers.", "etude-bench");
  etude::Flags flags;
  const etude::Bench* chosen = nullptr;
  for (const etude::Bench& bench : etude::Benches()) {
    CLI::App* command = app.add_subcommand(bench.name, bench.summary);
    etude::AddFlags(*command, flags);
    command->footer(etude::kExamples);
    command->callback([&chosen, &bench] { chosen = &bench; });
  }
  etude::MusicBenchOptions music_options;
  const CLI::App* music = etude::AddMusic(app, music_options, flags.output);
  app.require_subcommand(1);
  app.footer(etude::kExamples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : etude::kExitUsage;
  }
  if (music->parsed()) return etude::RunMusic(music_options, flags.output);
  return etude::Run(*chosen, flags);
}
