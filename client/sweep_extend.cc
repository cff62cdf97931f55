#include "client/sweep_extend.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <vector>

#include "client/coordinator_client.h"
#include "client/failure.h"
#include "client/reports.h"
#include "client/signals.h"
#include "client/wait_command.h"
#include "lib/base/status.h"
#include "lib/scaling/spec_extend.h"

namespace etude {
namespace {

struct ExtendFlags {
  std::string sweep;
  SpecExtension extension;
  bool print = false;
  bool wait = false;
};

absl::StatusOr<ExitCode> Extend(Session& session, const ExtendFlags& flags) {
  std::optional<Signals> signals;
  if (flags.wait) signals.emplace();  // before the channel's threads start
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  const absl::StatusOr<SweepView> view = client->FindSweep(flags.sweep);
  if (!view.ok()) return OfSweep(view.status());
  const Sweep& sweep = view->summary.sweep;
  SpecExtension extension = flags.extension;
  if (extension.name.empty()) extension.name = NextSweepName(sweep.name);
  absl::StatusOr<std::string> spec = ExtendSpec(sweep.spec_toml, extension);
  if (!spec.ok()) return WithHint(spec.status(), "etude sweep extend -h");
  if (flags.print) {
    session.PrintText(*spec);
    return ExitCode::kOk;
  }
  SubmitRequest request;
  request.spec_toml = *std::move(spec);
  request.file_name = extension.name;
  request.corpus = sweep.corpus;
  const absl::StatusOr<Submission> submission = client->Submit(request);
  if (!submission.ok()) {
    return WithHint(submission.status(),
                    fmt::format("look at the spec: etude sweep extend {} ... --print", sweep.name));
  }
  session.Say(
      fmt::format("{} of its runs are here already and stay as they are", submission->runs_shared));
  if (!flags.wait) {
    session.Print(SubmissionReport(*submission));
    session.Say("next: etude sweep watch " + submission->sweep.name);
    return ExitCode::kOk;
  }
  ASSIGN_OR_RETURN(const SweepView end,
                   WaitWithProgress(session, *client, *signals, submission->sweep.id.text(),
                                    absl::InfiniteDuration()));
  session.Print(SweepReport(end));
  return ReportEnd(session, end);
}

}  // namespace

std::string NextSweepName(const std::string& name) {
  const std::size_t dash = name.rfind('-');
  int number = 1;
  if (dash != std::string::npos && dash + 1 < name.size()) {
    const char* end = name.data() + name.size();
    const auto [read, error] = std::from_chars(name.data() + dash + 1, end, number);
    if (error == std::errc() && read == end && number > 1 && number < 1'000'000) {
      return fmt::format("{}-{}", name.substr(0, dash), number + 1);
    }
  }
  return name + "-2";
}

void AddSweepExtend(CommandTree& tree, CLI::App& noun) {
  const auto flags = std::make_shared<ExtendFlags>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"extend",
       "Submit a sweep again with more shapes, tokens or seeds.",
       {"etude sweep extend first --tokens 2.7M", "etude sweep extend first --seeds 2,3 --wait"},
       "Makes a new sweep with all runs of the old one, which are not trained again. Of new runs\n"
       "that differ from known ones in D alone only what follows their common steps is trained.\n"
       "New shapes take everything else from the first grid of their family."},
      [flags](Session& session) { return Extend(session, *flags); });
  command->add_option("sweep", flags->sweep, "its name, or the start of its id")
      ->required()
      ->type_name("SWEEP");
  SpecExtension& extension = flags->extension;
  command->add_option("--tokens", extension.tokens, "D of the new runs; default: the grid's")
      ->delimiter(',')
      ->type_name("D,...");
  command->add_option("--seeds", extension.seeds, "default: the grid's")
      ->delimiter(',')
      ->type_name("SEED,...");
  command->add_option("--transformer", extension.transformer, "more shapes")
      ->delimiter(',')
      ->type_name("SHAPE,...");
  command->add_option("--lstm", extension.lstm, "more shapes")
      ->delimiter(',')
      ->type_name("SHAPE,...");
  command->add_option("--name", extension.name, "of the new sweep; default: SWEEP-2")
      ->type_name("NAME");
  command->add_flag("--print", flags->print, "print the new spec instead of submitting it");
  command->add_flag("--wait", flags->wait, "return when the sweep has ended (exit 7: some failed)");
}

}  // namespace etude
