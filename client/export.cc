// etude export
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "client/command.h"
#include "client/export_bundle.h"
#include "client/pull.h"
#include "client/reports.h"
#include "client/results_table.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

struct ExportFlags {
  std::string what;
  std::string to;
  std::string dir;
};

struct Exported {
  std::vector<RunProgress> runs;
  std::string spec_toml;      // of a sweep
  std::string resolved_json;  // of a sweep
};

// A sweep by name or id, else a run.
absl::StatusOr<Exported> FindWhat(CoordinatorClient& client, const std::string& what) {
  const absl::StatusOr<SweepView> sweep = client.FindSweep(what);
  if (sweep.ok()) {
    return Exported{sweep->runs, sweep->summary.sweep.spec_toml,
                    sweep->summary.sweep.resolved_json};
  }
  if (sweep.status().code() != absl::StatusCode::kNotFound) return sweep.status();
  const absl::StatusOr<RunView> run = client.FindRun(what);
  if (run.status().code() == absl::StatusCode::kNotFound) {
    return WithHint(
        NotFound("\"" + what + "\" is neither a sweep nor a run at " + client.endpoint()),
        "etude sweep ls, or: etude run ls");
  }
  if (!run.ok()) return run.status();
  return Exported{{run->progress}, "", ""};
}

// Its own earlier files may be replaced, nobody else's.
absl::Status CheckTarget(const std::string& dir) {
  std::error_code error;
  const bool empty = !fs::exists(dir, error) || fs::is_empty(dir, error);
  if (error) return InvalidArgument(dir + " is no directory");
  if (empty || FileExists(dir + "/results.csv")) return absl::OkStatus();
  return WithHint(AlreadyExists(dir + " holds something else than an export"),
                  "choose another directory");
}

absl::Status ExportRun(CoordinatorClient& client, const RunProgress& progress,
                       const std::string& dir) {
  const std::string key = progress.run.key.text();
  RETURN_IF_ERROR(WriteFileAtomically(dir + "/config/" + key + ".json",
                                      RunConfigToJson(progress.run.config) + "\n"));
  ASSIGN_OR_RETURN(const std::vector<LossPoint> points, client.Curve(key, {}));
  RETURN_IF_ERROR(WriteFileAtomically(dir + "/curves/" + key + ".csv",
                                      Render(CurveReport(points), OutputFormat::kCsv)));
  ASSIGN_OR_RETURN(const RunView view, client.FindRun(key));
  for (const AttemptView& attempt : view.attempts) {
    const std::vector<ArtifactFile> logs = LogsOf(attempt);
    RETURN_IF_ERROR(CheckPulledFiles(logs));
    for (const ArtifactFile& log : logs) {
      const std::string path =
          fmt::format("{}/logs/{}-{}-{}", dir, key, attempt.attempt.number, log.name);
      RETURN_IF_ERROR(client.Download(log, path, nullptr));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteExport(Session& session, CoordinatorClient& client, const Exported& exported,
                         const std::string& dir) {
  for (const char* part : {"", "/curves", "/logs", "/config"}) {
    RETURN_IF_ERROR(MakeDirectories(dir + part));
  }
  CorporaById corpora;
  ASSIGN_OR_RETURN(const std::vector<Corpus> pushed, client.Corpora());
  for (const Corpus& corpus : pushed) corpora[corpus.id] = corpus;
  RETURN_IF_ERROR(WriteFileAtomically(
      dir + "/results.csv", Render(ResultsReport(exported.runs, corpora), OutputFormat::kCsv)));
  if (!exported.spec_toml.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(dir + "/config/sweep.toml", exported.spec_toml));
    RETURN_IF_ERROR(
        WriteFileAtomically(dir + "/config/resolved.json", exported.resolved_json + "\n"));
  }
  const auto progress = session.MakeProgress();
  std::size_t done = 0;
  for (const RunProgress& run : exported.runs) {
    progress->Update(fmt::format("exporting run {} of {}", ++done, exported.runs.size()));
    RETURN_IF_ERROR(ExportRun(client, run, dir));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> RunExport(Session& session, const ExportFlags& flags) {
  if (flags.to == "bundle") return ExportBundle(session, flags.what, flags.dir);
  if (flags.to != "csv") {
    return WithHint(
        InvalidArgument("--to " + flags.to + " is not in this version; csv and bundle are"),
        fmt::format("etude export {} --to csv {}", flags.what, flags.dir));
  }
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const Exported exported, FindWhat(*client, flags.what));
  RETURN_IF_ERROR(CheckTarget(flags.dir));
  RETURN_IF_ERROR(OfLocalFile(WriteExport(session, *client, exported, flags.dir)));
  Report report;
  report.facts = {{{"directory", "directory"}, flags.dir},
                  {{"runs", "runs"}, static_cast<std::int64_t>(exported.runs.size())},
                  {{"results", "results"}, flags.dir + "/results.csv"}};
  session.Print(report);
  return ExitCode::kOk;
}

}  // namespace

void AddExport(CommandTree& tree) {
  const auto flags = std::make_shared<ExportFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"export",
       "Write a sweep's or a run's results to files.",
       {"etude export first --to csv out/first", "etude export first --to bundle out/first.bundle"},
       "csv: results.csv has one row a run; curves/RUN.csv every point; "
       "logs/RUN-ATTEMPT-trainer.log;\n"
       "config/RUN.json and config/sweep.toml what was run.\n"
       "bundle: a sweep whole, for etude import at another coordinator: its corpus, every point,\n"
       "results (the sealed test losses too), predictions, checkpoints and logs, with the SHA-256 "
       "of\n"
       "each file in manifest.json. What was interrupted goes on with the same command."},
      [flags](Session& session) { return RunExport(session, *flags); });
  command->add_option("what", flags->what, "a sweep or a run")->required()->type_name("SWEEP|RUN");
  command->add_option("--to", flags->to, "csv, or bundle (of a sweep)")
      ->required()
      ->type_name("FORM");
  command->add_option("dir", flags->dir, "where to; an earlier export there is replaced")
      ->required()
      ->type_name("DIR");
}

}  // namespace etude
