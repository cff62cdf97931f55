// etude train
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <optional>

#include "client/command.h"
#include "client/corpus_source.h"
#include "client/local_service.h"
#include "client/pull.h"
#include "client/reports.h"
#include "client/temporary_directory.h"
#include "client/train_spec.h"
#include "client/wait_command.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr char kSpecName[] = "the options of etude train";

struct TrainFlags {
  TrainOptions options;
  std::string transformer;
  std::string lstm;
  std::string out;
};

// Either the coordinator of the context, or a private one that goes with this object.
struct Service {
  std::unique_ptr<TemporaryDirectory> state;
  std::unique_ptr<LocalService> own;
  std::unique_ptr<CoordinatorClient> own_client;
  CoordinatorClient* client = nullptr;
};

absl::StatusOr<Service> StartPrivate(Session& session, Signals& signals) {
  Service service;
  ASSIGN_OR_RETURN(service.state, TemporaryDirectory::Make(session.world().environment));
  const auto say = [&session](const std::string& line) { session.Say(line); };
  auto own =
      LocalService::Start({service.state->path(), "127.0.0.1:0", 1, session.world().program_dir},
                          signals, session.clock(), say);
  if (!own.ok()) {
    service.state->Keep();  // its logs say why
    return own.status();
  }
  service.own = *std::move(own);
  ASSIGN_OR_RETURN(const std::string token, ReadTokenIfAny(service.own->token_file()));
  service.own_client =
      std::make_unique<CoordinatorClient>(service.own->endpoint(), token, session.clock());
  service.client = service.own_client.get();
  return service;
}

absl::StatusOr<Service> FindOrStart(Session& session, Signals& signals, bool corpus_is_here) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<CoordinatorInfo> info = client->Probe();
  if (info.ok()) {
    Service service;
    service.client = client;
    return service;
  }
  if (info.status().code() != absl::StatusCode::kUnavailable) return info.status();
  // Who names a coordinator means that one.
  if (!session.context_flags.endpoint.empty()) return info.status();
  if (!corpus_is_here) {
    return WithHint(Annotate(info.status(), "--corpus is no directory here"), "etude up");
  }
  session.Say("no coordinator answers at " + client->endpoint() +
              "; starting a private one with one worker for this training");
  return StartPrivate(session, signals);
}

absl::StatusOr<SpecSource> SpecOf(const TrainFlags& flags) {
  const std::string toml = TrainSpecToml(flags.options);
  ParseResult parsed = CheckSweepSpec(toml, kSpecName);
  if (!parsed.spec) return SpecFailure(parsed.errors, "etude train -h");
  return SpecSource{kSpecName, *std::move(parsed.spec), std::nullopt};
}

absl::StatusOr<TrainFlags> Checked(TrainFlags flags) {
  if (flags.transformer.empty() == flags.lstm.empty()) {
    return WithHint(InvalidArgument("give exactly one of --transformer SHAPE and --lstm SHAPE"),
                    "etude train --corpus DIR --transformer tiny --out model");
  }
  const bool lstm = !flags.lstm.empty();
  flags.options.family = lstm ? Family::kLstm : Family::kTransformer;
  flags.options.shape = lstm ? flags.lstm : flags.transformer;
  std::error_code error;
  if (FileExists(flags.out + "/model.safetensors") ||
      (std::filesystem::exists(flags.out, error) && !std::filesystem::is_directory(flags.out))) {
    return WithHint(AlreadyExists(flags.out + " holds a model, or is no directory"),
                    "choose another --out, or remove it");
  }
  return flags;
}

absl::Status WriteResults(Session& session, CoordinatorClient& client, const RunView& view,
                          const std::string& out) {
  ASSIGN_OR_RETURN(const Checkpoint last, ChooseCheckpoint(view, CheckpointKind::kLast));
  RETURN_IF_ERROR(PullFiles(session, client, last.files, out));
  const std::string key = view.progress.run.key.text();
  ASSIGN_OR_RETURN(const std::vector<LossPoint> points, client.Curve(key, {}));
  RETURN_IF_ERROR(
      WriteFileAtomically(out + "/curve.csv", Render(CurveReport(points), OutputFormat::kCsv)));
  return WriteFileAtomically(out + "/run.json", Render(RunReport(view), OutputFormat::kJson));
}

absl::StatusOr<ExitCode> TrainWith(Session& session, Signals& signals, CoordinatorClient& client,
                                   const SpecSource& source, const std::string& out) {
  ASSIGN_OR_RETURN(const SubmitRequest request, MakeSubmitRequest(session, client, source));
  ASSIGN_OR_RETURN(const Submission submission, client.Submit(request));
  session.Say(fmt::format("sweep {}: run {}", submission.sweep.name,
                          submission.sweep.runs.empty() ? "?" : submission.sweep.runs[0].Short()));
  ASSIGN_OR_RETURN(const SweepView end,
                   WaitWithProgress(session, client, signals, submission.sweep.id.text(),
                                    absl::InfiniteDuration()));
  if (end.runs.empty() || end.runs[0].run.state != RunState::kSucceeded) {
    session.Print(SweepReport(end));
    return ReportEnd(session, end);
  }
  ASSIGN_OR_RETURN(const RunView view, client.FindRun(end.runs[0].run.key.text()));
  RETURN_IF_ERROR(OfLocalFile(WriteResults(session, client, view, out)));
  session.Print(RunReport(view));
  session.Say("model, curve.csv and run.json are in " + out);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunTrain(Session& session, const TrainFlags& given) {
  ASSIGN_OR_RETURN(const TrainFlags flags, Checked(given));
  ASSIGN_OR_RETURN(const SpecSource source, SpecOf(flags));
  const bool corpus_is_here = FileExists(flags.options.corpus + "/corpus.json");
  Signals signals;
  ASSIGN_OR_RETURN(const Service service, FindOrStart(session, signals, corpus_is_here));
  absl::StatusOr<ExitCode> code = TrainWith(session, signals, *service.client, source, flags.out);
  if (service.own == nullptr) return code;
  if (!code.ok() || *code != ExitCode::kOk) {
    service.state->Keep();
    session.Say("the private coordinator stops; its logs stay in " + service.state->path() +
                "/logs");
  }
  service.own->Stop();
  if (code.status().code() == absl::StatusCode::kCancelled) {
    return Cancelled("interrupted; the private coordinator was stopped and the run with it");
  }
  return code;
}

void AddTrainOptions(CLI::App& command, TrainFlags& flags) {
  TrainOptions& options = flags.options;
  command.add_option("--corpus", options.corpus, "a corpus directory, or a pushed name")
      ->required()
      ->type_name("DIR|NAME");
  command.add_option("--transformer", flags.transformer, "LAYERSxWIDTHxHEADS, or tiny ... xl")
      ->type_name("SHAPE");
  command.add_option("--lstm", flags.lstm, "LAYERSxHIDDEN, or tiny ... large")->type_name("SHAPE");
  command.add_option("--tokens", options.tokens, "positions to train on (default: one epoch)")
      ->type_name("D");
  command.add_option("--seed", options.seed, "(default: 1)")->type_name("S");
  command.add_option("--lr", options.lr, "peak learning rate (default: by size)")->type_name("X");
  command.add_option("--dropout", options.dropout, "(default: 0 while D/U <= 4)")->type_name("P");
  command.add_option("--batch", options.batch, "sequences a step (default: 8)")->type_name("B");
  command.add_option("--context", options.context, "(default: 64)")->type_name("C");
  command.add_flag("--repeat", options.repeat, "allow more tokens than the corpus has");
  command.add_option("--out", flags.out, "where the model goes")->required()->type_name("DIR");
}

}  // namespace

void AddTrain(CommandTree& tree) {
  const auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"train",
       "Train one model: a one-run sweep, waited for and pulled.",
       {"etude train --corpus corpora/folk --transformer 2x64x4 --tokens 300k --out model",
        "etude train --corpus folk --lstm 1x96 --lr 0.01 --seed 2 --out model-lstm"},
       "Where no coordinator answers, starts a private one for as long as it takes.\n"
       "Ctrl-C leaves the run going, unless the coordinator was private."},
      [flags](Session& session) { return RunTrain(session, *flags); });
  AddTrainOptions(*command, *flags);
}

}  // namespace etude
