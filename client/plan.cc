// etude plan
#include "lib/scaling/plan.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "client/command.h"
#include "client/corpus_source.h"
#include "client/plan_report.h"
#include "lib/base/file.h"
#include "lib/base/status.h"

namespace etude {
namespace {

constexpr int kMaxPlanWorkers = 100000;

struct PlanFlags {
  std::string spec;
  std::string out;
  bool strict = false;
  int workers = 0;  // 0: those online, else 1
  int vocab = 0;
  std::int64_t corpus_tokens = 0;
};

// The slots online now and the speeds they reached, as far as a coordinator answers.
PlanOptions OptionsFrom(Session& session, const PlanFlags& flags, bool ask) {
  PlanOptions options;
  options.workers = std::max(flags.workers, 1);
  if (!ask) return options;
  const auto client = session.Coordinator();
  if (!client.ok() || !(*client)->Probe().ok()) return options;
  if (flags.workers == 0) {
    int slots = 0;
    for (const WorkerView& view : (*client)->Workers().value_or(std::vector<WorkerView>())) {
      if (view.worker.state == WorkerState::kOnline) slots += view.worker.slots;
    }
    options.workers = std::max(slots, 1);
  }
  options.measured = MeasuredRates((*client)->Runs("").value_or(std::vector<RunProgress>()));
  return options;
}

absl::StatusOr<ExitCode> ShowPlan(Session& session, const PlanFlags& flags, const Plan& plan) {
  if (!flags.out.empty()) {
    RETURN_IF_ERROR(OfLocalFile(WriteFileAtomically(flags.out, PlanToJson(plan))));
  }
  if (session.format() == OutputFormat::kJson) {
    session.PrintText(PlanToJson(plan));
  } else {
    session.Print(PlanReport(plan));
  }
  for (const std::string& note : PlanNotes(plan)) session.Say(note);
  if (!flags.out.empty()) {
    session.Say("saved; to run exactly this, type: etude submit " + flags.out);
  }
  const std::string unidentifiable = UnidentifiableText(plan);
  if (!flags.strict || unidentifiable.empty()) return ExitCode::kOk;
  session.Say("etude: refused: " + unidentifiable + "\n  try: etude plan " + flags.spec +
              " --strict     (after the repair)");
  return ExitCode::kNotIdentifiable;
}

absl::StatusOr<ExitCode> RunPlan(Session& session, const PlanFlags& flags) {
  ASSIGN_OR_RETURN(const SpecSource source, ReadSpec(flags.spec));
  if ((flags.vocab == 0) != (flags.corpus_tokens == 0)) {
    return WithHint(InvalidArgument("--vocab and --corpus-tokens go together"),
                    "etude plan " + flags.spec + " --vocab 37 --corpus-tokens 1000000");
  }
  const bool assumed = flags.vocab > 0;
  Corpus corpus;
  if (assumed) {
    corpus = AssumedCorpus(flags.vocab, flags.corpus_tokens);
  } else {
    ASSIGN_OR_RETURN(const LocatedCorpus located, LocateCorpus(session, source.spec.corpus));
    corpus = located.corpus;
  }
  const PlanOptions options = OptionsFrom(session, flags, /*ask=*/!assumed);
  ASSIGN_OR_RETURN(const Plan plan, PlanOn(source, corpus, options));
  return ShowPlan(session, flags, plan);
}

}  // namespace

void AddPlan(CommandTree& tree) {
  const auto flags = std::make_shared<PlanFlags>();
  CLI::App* command =
      AddCommand(tree, tree.app,
                 {"plan",
                  "Count and cost a sweep before anything runs.",
                  {"etude plan configs/sweeps/first.toml",
                   "etude plan sweep.toml --vocab 37 --corpus-tokens 1000000 --strict"},
                  "The corpus comes from the directory the spec names, else from the coordinator.\n"
                  "With --strict exits 10 when the grid cannot identify a scaling law."},
                 [flags](Session& session) { return RunPlan(session, *flags); });
  command->add_option("spec", flags->spec, "the sweep's TOML file")->required()->type_name("SPEC");
  command->add_option("--out", flags->out, "save the plan, to submit exactly it later")
      ->type_name("FILE");
  command->add_flag("--strict", flags->strict, "refuse a grid that cannot identify a law");
  command->add_option("--workers", flags->workers, "for the ETA (default: the slots online)")
      ->check(CLI::Range(1, kMaxPlanWorkers))
      ->type_name("N");
  command->add_option("--vocab", flags->vocab, "plan without the corpus: its vocabulary")
      ->check(CLI::Range(1, 65536))
      ->type_name("V");
  command->add_option("--corpus-tokens", flags->corpus_tokens, "and its training tokens")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->type_name("T");
}

}  // namespace etude
