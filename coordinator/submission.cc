#include "coordinator/submission.h"

#include <fmt/format.h>

#include <utility>

#include "lib/base/status.h"
#include "lib/scaling/plan.h"
#include "lib/scaling/spec.h"

namespace etude {
namespace {

constexpr std::size_t kMaxFileNameBytes = 4096;

absl::StatusOr<Corpus> CorpusOf(const SubmittedSpec& submitted, const SweepSpec& spec,
                                ResultsReader& reader) {
  const std::string& text = submitted.corpus_id.empty() ? spec.corpus : submitted.corpus_id;
  absl::StatusOr<Corpus> corpus = reader.FindCorpus(text);
  if (corpus.ok() || corpus.status().code() != absl::StatusCode::kNotFound) return corpus;
  return NotFound(fmt::format("corpus \"{}\" is not here; push it: etude corpus push DIR --name {}",
                              text, IsSweepName(text) ? text : "NAME"));
}

Submission FromPlan(Plan plan) {
  Submission submission;
  Sweep& sweep = submission.sweep;
  sweep.id = plan.id;
  sweep.name = plan.name;
  sweep.corpus = plan.corpus.id;
  sweep.spec_toml = std::move(plan.spec_toml);
  sweep.resolved_json = std::move(plan.resolved_json);
  sweep.max_failed_runs = plan.limits.max_failed_runs;
  sweep.max_hours = plan.limits.max_hours;
  sweep.runs.reserve(plan.runs.size());
  submission.configs.reserve(plan.runs.size());
  for (PlannedRun& run : plan.runs) {
    if (run.held_out) sweep.held_out.push_back(run.key);
    sweep.runs.push_back(std::move(run.key));
    submission.configs.push_back(std::move(run.config));
  }
  return submission;
}

}  // namespace

absl::StatusOr<Submission> PrepareSubmission(const SubmittedSpec& submitted,
                                             ResultsReader& reader) {
  if (submitted.spec_toml.size() > kMaxSpecBytes ||
      submitted.file_name.size() > kMaxFileNameBytes) {
    return InvalidArgument(fmt::format("the spec has {} bytes, more than {}",
                                       submitted.spec_toml.size(), kMaxSpecBytes));
  }
  ASSIGN_OR_RETURN(const SweepSpec spec, ParseSweepSpec(submitted.spec_toml, submitted.file_name));
  ASSIGN_OR_RETURN(const Corpus corpus, CorpusOf(submitted, spec, reader));
  ASSIGN_OR_RETURN(Plan plan, PlanSweep(spec, corpus, {.runs_only = true}));
  if (!submitted.expected_sweep_id.empty() && submitted.expected_sweep_id != plan.id.text()) {
    return FailedPrecondition(
        fmt::format("this is another sweep ({}) than was planned ({}): the spec or the corpus has "
                    "changed since; plan it again: etude plan {}",
                    plan.id.Short(), SweepId(submitted.expected_sweep_id).Short(),
                    submitted.file_name.empty() ? "SPEC" : submitted.file_name));
  }
  return FromPlan(std::move(plan));
}

}  // namespace etude
