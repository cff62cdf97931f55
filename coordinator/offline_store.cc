#include "coordinator/offline_store.h"

#include <algorithm>

#include "lib/base/status.h"

namespace etude {
namespace {

// A value is one line, whatever a file is called.
void Print(std::ostream& out, const char* key, std::string value) {
  std::replace_if(
      value.begin(), value.end(), [](unsigned char c) { return c < ' '; }, ' ');
  out << key << '\t' << value << '\n';
}

void PrintManifest(const BackupCheck& check, std::ostream& out) {
  const BackupManifest& manifest = check.manifest;
  Print(out, "created", ToIso8601(FromMicros(manifest.created_at_us)));
  Print(out, "software", manifest.software);
  Print(out, "schema_version", std::to_string(manifest.schema_version));
  Print(out, "files", std::to_string(1 + manifest.blobs.size()));
  Print(out, "bytes", std::to_string(check.bytes));
}

}  // namespace

absl::Status VerifyOffline(const std::string& backup, std::ostream& out) {
  ASSIGN_OR_RETURN(const BackupCheck check, CheckBackup(backup));
  PrintManifest(check, out);
  for (const std::string& line : check.damage) Print(out, "problem", line);
  for (const std::string& line : check.notes) Print(out, "problem", line);
  const std::size_t problems = check.damage.size() + check.notes.size();
  if (problems == 0) return absl::OkStatus();
  const std::string count = std::to_string(problems) + (problems == 1 ? " problem" : " problems");
  return DataLoss(check.damage.empty()
                      ? "backup " + backup + ": " + count + ", none of which hinders a restore"
                      : "backup " + backup + " is damaged: " + count +
                            ". To make it again, from a store that is whole: etude db backup " +
                            backup);
}

absl::Status RestoreOffline(const RestoreOptions& options, Clock& clock, std::ostream& out) {
  ASSIGN_OR_RETURN(const Restored restored, RestoreBackup(options, clock.Now()));
  PrintManifest(restored.check, out);
  for (const std::string& line : restored.check.notes) Print(out, "note", line);
  Print(out, "state", options.state_dir);
  if (!restored.moved_to.empty()) Print(out, "moved_to", restored.moved_to);
  return absl::OkStatus();
}

}  // namespace etude
