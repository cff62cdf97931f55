// A checksum in every page of the main database file: SQLite itself notices damage to the shape of
// a page, but not to a number in it.
#ifndef ETUDE_STORAGE_SQLITE_PAGE_CHECK_H_
#define ETUDE_STORAGE_SQLITE_PAGE_CHECK_H_

#include <string>

#include "absl/status/status.h"

namespace etude {

// The last bytes of a page, which SQLite leaves to us where the file's header reserves so many.
inline constexpr int kPageCheckBytes = 8;

// The name of SQLite's file layer that writes the checksums and refuses a page whose bytes have
// another one, with SQLITE_IOERR_DATA. A file that reserves no bytes is read and written as it is.
// Pages in the write-ahead log have SQLite's own checksums, which count at a start alone.
const char* PageCheckedFiles();

// Whether the write-ahead log beside the database at `path` is whole. SQLite takes its first
// damaged frame for the end, which is right after a power cut, when the last transaction may be
// torn; but if a later transaction stands behind it, acknowledged ones are lost. kDataLoss: so it
// is. To be asked before the file is opened.
absl::Status CheckWriteAheadLog(const std::string& path);

}  // namespace etude

#endif  // ETUDE_STORAGE_SQLITE_PAGE_CHECK_H_
