#include <string>

#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "storage/apply_change.h"

namespace etude {
namespace {

constexpr char kInsertFit[] =
    "INSERT INTO fits (sweep, family, sha256, fit_json, fitted_at_us) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO NOTHING";
constexpr char kDeleteOldFits[] =
    "DELETE FROM fits WHERE sweep = ?1 AND family = ?2 AND number NOT IN "
    "(SELECT number FROM fits WHERE sweep = ?1 AND family = ?2 ORDER BY number DESC LIMIT ?3) "
    "AND sha256 NOT IN (SELECT fit_sha256 FROM predictions WHERE sweep = ?1 AND family = ?2)";
constexpr char kSelectPrediction[] = "SELECT sha256 FROM predictions WHERE sweep = ? AND run = ?";
constexpr char kSelectHeldOut[] =
    "SELECT 1 FROM sweep_runs WHERE sweep = ? AND run = ? AND held_out = 1";
constexpr char kInsertPrediction[] =
    "INSERT INTO predictions (sweep, run, family, fit_sha256, prediction_json, sha256, blind, "
    "frozen_at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

absl::Status FreezeOne(Database& database, const FrozenPrediction& prediction) {
  const std::string& sweep = prediction.sweep.text();
  const std::string& run = prediction.run.text();
  const std::string json = FrozenPredictionJson(prediction);
  const std::string hash = Sha256Hex(json);
  ASSIGN_OR_RETURN(Statement frozen, database.Prepare(kSelectPrediction));
  ASSIGN_OR_RETURN(const bool there, frozen.Bind(sweep, run).Next());
  if (there) {
    if (frozen.Text(0) == hash) return absl::OkStatus();
    return FailedPrecondition("another prediction is frozen, and stays");
  }
  ASSIGN_OR_RETURN(Statement held_out, database.Prepare(kSelectHeldOut));
  ASSIGN_OR_RETURN(const bool is_held_out, held_out.Bind(sweep, run).Next());
  if (!is_held_out) return FailedPrecondition("the sweep does not hold it out");
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertPrediction));
  insert.Bind(sweep, run, FamilyName(prediction.family), prediction.fit_sha256, json, hash,
              prediction.blind, prediction.frozen_at_us);
  return insert.Run();
}

}  // namespace

absl::Status AddFit(Database& database, const SweepFit& fit) {
  const std::string_view family = FamilyName(fit.family);
  ASSIGN_OR_RETURN(Statement insert, database.Prepare(kInsertFit));
  insert.Bind(fit.sweep.text(), family, fit.sha256, fit.json, fit.fitted_at_us);
  RETURN_IF_ERROR(insert.Run());
  ASSIGN_OR_RETURN(Statement remove, database.Prepare(kDeleteOldFits));
  return remove.Bind(fit.sweep.text(), family, kMaxStoredFits).Run();
}

absl::Status FreezePredictions(Database& database, const PredictionsFrozen& change) {
  for (const SweepFit& fit : change.fits) RETURN_IF_ERROR(AddFit(database, fit));
  for (const FrozenPrediction& prediction : change.predictions) {
    RETURN_IF_ERROR(Annotate(FreezeOne(database, prediction), "run " + prediction.run.Short()));
  }
  return absl::OkStatus();
}

}  // namespace etude
