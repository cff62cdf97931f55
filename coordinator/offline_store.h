// What etude-coordinator does with a store instead of serving it: checks a backup, or makes a state
// directory from one. Each prints a line a fact, "KEY<TAB>VALUE", for `etude db` to read.
#ifndef ETUDE_COORDINATOR_OFFLINE_STORE_H_
#define ETUDE_COORDINATOR_OFFLINE_STORE_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "lib/base/clock.h"
#include "storage/backup.h"

namespace etude {

// created, software, schema_version, files, bytes, and then: problem, each. kDataLoss: there are
// problems. Other errors are CheckBackup's.
absl::Status VerifyOffline(const std::string& backup, std::ostream& out);

// The same without problems, "note" for what the backup lacked when it was made, and state,
// moved_to. Errors are RestoreBackup's.
absl::Status RestoreOffline(const RestoreOptions& options, Clock& clock, std::ostream& out);

}  // namespace etude

#endif  // ETUDE_COORDINATOR_OFFLINE_STORE_H_
