// The schema, as the list of steps that made it. The file says in user_version how many it has had.
#ifndef ETUDE_STORAGE_MIGRATIONS_H_
#define ETUDE_STORAGE_MIGRATIONS_H_

#include <span>

#include "absl/status/status.h"
#include "storage/sqlite.h"

namespace etude {

// Step i takes a store from version i to i + 1. Append only: a released step is never edited.
std::span<const char* const> Migrations();

// Brings the store to the newest version in one transaction, all steps or none. An empty file is
// version 0. kFailedPrecondition: the store is newer than this program, or is another program's
// file.
absl::Status Migrate(Database& database, std::span<const char* const> migrations = Migrations());

// For readers, which cannot migrate. kFailedPrecondition: not the version this program reads.
absl::Status CheckSchemaVersion(Database& database);

}  // namespace etude

#endif  // ETUDE_STORAGE_MIGRATIONS_H_
