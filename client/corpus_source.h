// From the words of a spec to a spec, a corpus and a plan: a directory here, or a name at the
// coordinator.
#ifndef ETUDE_CLIENT_CORPUS_SOURCE_H_
#define ETUDE_CLIENT_CORPUS_SOURCE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/command.h"
#include "lib/scaling/corpus.h"
#include "lib/scaling/plan.h"
#include "lib/scaling/spec.h"

namespace etude {

struct SpecSource {
  std::string path;  // as typed
  SweepSpec spec;
  std::optional<SavedPlan> saved;  // when the file was a saved plan
};
// Reads a spec or a saved plan. kInvalidArgument with every error of the file; kNotFound.
absl::StatusOr<SpecSource> ReadSpec(const std::string& path);

struct LocatedCorpus {
  Corpus corpus;
  std::string dir;  // empty: it is at the coordinator
};
// `text` is a directory if it holds a corpus.json or a slash; else a name at the coordinator.
absl::StatusOr<LocatedCorpus> LocateCorpus(Session& session, const std::string& text);

// PlanSweep with errors as SpecFailure, and CheckSavedPlan for a saved plan.
absl::StatusOr<Plan> PlanOn(const SpecSource& source, const Corpus& corpus,
                            const PlanOptions& options);

// The newest speed of each shape among finished runs.
std::vector<MeasuredRate> MeasuredRates(const std::vector<RunProgress>& runs);

// Uploads the files of a corpus directory and names it. kAlreadyExists: the name stands for another
// corpus.
absl::StatusOr<PushedCorpus> PushCorpusDir(Session& session, CoordinatorClient& client,
                                           const std::string& dir, const std::string& name);

// Makes sure the coordinator has the corpus of `dir`, under the directory's name where that is free
// and good, else with the start of its id behind it.
absl::StatusOr<Corpus> EnsurePushed(Session& session, CoordinatorClient& client,
                                    const LocatedCorpus& located);

// A corpus name made from a directory's: characters outside [A-Za-z0-9._-] become '-'.
std::string CorpusNameOf(const std::string& dir);

// What submitting needs, with a corpus directory pushed and a saved plan checked. Nothing is pushed
// for a spec that is refused.
absl::StatusOr<SubmitRequest> MakeSubmitRequest(Session& session, CoordinatorClient& client,
                                                const SpecSource& source);

}  // namespace etude

#endif  // ETUDE_CLIENT_CORPUS_SOURCE_H_
