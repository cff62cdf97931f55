// etude run ls|show|curve|logs|pull
#include "lib/scaling/run.h"

#include <fmt/format.h>

#include <memory>

#include "client/arguments.h"
#include "client/command.h"
#include "client/controls.h"
#include "client/pull.h"
#include "client/reports.h"
#include "client/run_logs.h"
#include "lib/base/status.h"

namespace etude {
namespace {

struct RunFlags {
  std::string run;
  std::string sweep;
  std::vector<std::string> series;
  bool wide = false;
  bool best = false;
  bool last = false;
  std::string dir;
};

absl::StatusOr<RunView> Find(Session& session, const std::string& run) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  absl::StatusOr<RunView> view = client->FindRun(run);
  if (!view.ok()) return WithHint(view.status(), "etude run ls");
  return view;
}

absl::StatusOr<ExitCode> List(Session& session, const RunFlags& flags) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<std::vector<RunProgress>> runs = client->Runs(flags.sweep);
  if (!runs.ok()) return OfSweep(runs.status());
  session.Print(RunsReport(*runs));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> ShowRun(Session& session, const RunFlags& flags) {
  ASSIGN_OR_RETURN(const RunView view, Find(session, flags.run));
  session.Print(RunReport(view));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Curve(Session& session, const RunFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<Series> series, ParseSeries(flags.series));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<std::vector<LossPoint>> points = client->Curve(flags.run, series);
  if (!points.ok()) return WithHint(points.status(), "etude run ls");
  session.Print(flags.wide ? WideCurveReport(*points) : CurveReport(*points));
  return ExitCode::kOk;
}

Report PulledReport(const RunView& view, const Checkpoint& checkpoint, const std::string& dir) {
  Report report{
      "files",
      {{{"run", "run", Show::kId}, view.progress.run.key.text()},
       {{"kind", "checkpoint"}, std::string(CheckpointKindName(checkpoint.kind))},
       {{"step", "step", Show::kCount}, checkpoint.step},
       {{"directory", "directory"}, dir}},
      Table{{{"file", "file"}, {"bytes", "size", Show::kBytes}, {"sha256", "", Show::kPlain}}, {}},
      "no files"};
  for (const ArtifactFile& file : checkpoint.files) {
    report.list->rows.push_back({dir + "/" + file.name, file.bytes, file.sha256});
  }
  return report;
}

absl::StatusOr<ExitCode> Pull(Session& session, const RunFlags& flags) {
  if (flags.best == flags.last) {
    return WithHint(InvalidArgument("say which checkpoint: --best or --last"),
                    "etude run pull " + flags.run + " --last DIR");
  }
  ASSIGN_OR_RETURN(const RunView view, Find(session, flags.run));
  ASSIGN_OR_RETURN(
      const Checkpoint checkpoint,
      ChooseCheckpoint(view, flags.best ? CheckpointKind::kBest : CheckpointKind::kLast));
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  RETURN_IF_ERROR(PullFiles(session, *client, checkpoint.files, flags.dir));
  session.Print(PulledReport(view, checkpoint, flags.dir));
  return ExitCode::kOk;
}

using RunAction = absl::StatusOr<ExitCode> (*)(Session&, const RunFlags&);

std::pair<CLI::App*, std::shared_ptr<RunFlags>> AddOne(CommandTree& tree, CLI::App& noun,
                                                       const CommandText& text, RunAction action) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = AddCommand(
      tree, noun, text, [flags, action](Session& session) { return action(session, *flags); });
  return {command, flags};
}

void AddRunArgument(CLI::App& command, RunFlags& flags) {
  command.add_option("run", flags.run, "the start of its key")->required()->type_name("RUN");
}

void AddCurve(CommandTree& tree, CLI::App& noun) {
  const auto [command, flags] = AddOne(
      tree, noun,
      {"curve",
       "Every point of a run's loss curve.",
       {"etude run curve 3fa9c1 -o csv > curve.csv",
        "etude run curve 3fa9c1 --series train,val_probe --wide"},
       "Series: train, val_probe, val, train_eval (nats/token), lr, grad_norm, tokens_per_s."},
      Curve);
  AddRunArgument(*command, *flags);
  command->add_option("--series", flags->series, "only these (default: all)")
      ->delimiter(',')
      ->type_name("SERIES");
  command->add_flag("--wide", flags->wide, "one column a series instead of one row a point");
}

void AddPull(CommandTree& tree, CLI::App& noun) {
  const auto [command, flags] =
      AddOne(tree, noun,
             {"pull",
              "Download a checkpoint of a run.",
              {"etude run pull 3fa9c1 --last out/model", "etude run pull 3fa9c1 --best out/best"},
              "Files are checked against their SHA-256. A file that holds something else is never\n"
              "overwritten."},
             Pull);
  AddRunArgument(*command, *flags);
  command->add_option("dir", flags->dir, "where to, made if absent")->required()->type_name("DIR");
  command->add_flag("--best", flags->best, "the lowest validation probe: for sampling");
  command->add_flag("--last", flags->last, "the final weights: what the loss was measured on");
}

}  // namespace

void AddRun(CommandTree& tree) {
  CLI::App* noun = AddNoun(tree, {"run",
                                  "List and show runs, their curves, logs and checkpoints.",
                                  {"etude run ls", "etude run curve 3fa9c1 -o csv"},
                                  ""});
  const auto [list, list_flags] =
      AddOne(tree, *noun,
             {"ls", "List runs.", {"etude run ls", "etude run ls --sweep first -o csv"}, ""}, List);
  list->add_option("--sweep", list_flags->sweep, "only those of this sweep")->type_name("SWEEP");
  const auto [show, show_flags] =
      AddOne(tree, *noun,
             {"show",
              "Show a run, its result and its attempts.",
              {"etude run show 3fa9c1", "etude run show 3fa9c1 -o json"},
              ""},
             ShowRun);
  AddRunArgument(*show, *show_flags);
  AddCurve(tree, *noun);
  AddRunLogs(tree, *noun);
  AddPull(tree, *noun);
  AddRunControls(tree, *noun);
}

}  // namespace etude
