// A snapshot of a database in a file of its own, and what is wrong with one.
#include <absl/strings/str_cat.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "storage/sqlite.h"
#include "storage/sqlite_page_check.h"

namespace etude {
namespace {

constexpr int kPagesPerSlice = 256;  // 2 MiB

// The connection that a copy is written through. The file is worth nothing until the copy is whole,
// so it has no journal and is synced once.
class CopyTarget {
 public:
  explicit CopyTarget(const std::string& path) : path_(path) {}
  ~CopyTarget() { sqlite3_close_v2(handle_); }
  CopyTarget(const CopyTarget&) = delete;
  CopyTarget& operator=(const CopyTarget&) = delete;

  // `reserved`: bytes of each page, as the source has it.
  absl::Status Open(int reserved) {
    const int code = sqlite3_open_v2(
        path_.c_str(), &handle_,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        PageCheckedFiles());
    if (code != SQLITE_OK) return Failure(code);
    RETURN_IF_ERROR(Execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF"));
    if (reserved == 0) return absl::OkStatus();
    // Pages may be written before the first one, whose header says that they have checksums.
    RETURN_IF_ERROR(Execute("PRAGMA page_size = 8192"));
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    return Execute("CREATE TABLE none (a)");
  }
  // The copy says of itself that it is in WAL mode; a file by itself must not be.
  absl::Status LeaveWal() { return Execute("PRAGMA journal_mode = DELETE"); }
  absl::Status Failure(int code) const {
    const std::string reason = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
    const std::string what = "write " + path_ + ": " + reason;
    const int primary = code & 0xff;
    const bool full = primary == SQLITE_FULL || primary == SQLITE_IOERR;
    // Of what is copied, or of the copy.
    if (primary == SQLITE_CORRUPT || code == SQLITE_IOERR_DATA) {
      return DataLoss("copy the results store: a page is damaged (" + reason +
                      "). See all with: etude db verify. An earlier backup is brought back by: " +
                      "etude db restore DIR --replace");
    }
    return full ? ResourceExhausted(what + ". Free some space") : Internal(what);
  }
  sqlite3* handle() const { return handle_; }

 private:
  absl::Status Execute(const char* sql) {
    const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
  }

  const std::string path_;
  sqlite3* handle_ = nullptr;
};

absl::Status CopyPages(sqlite3* source, const CopyTarget& target,
                       const Database::CopyProgress& go_on) {
  sqlite3_backup* copy = sqlite3_backup_init(target.handle(), "main", source, "main");
  if (copy == nullptr) return target.Failure(sqlite3_extended_errcode(target.handle()));
  int code = SQLITE_OK;
  bool stopped = false;
  while (code == SQLITE_OK && !stopped) {
    code = sqlite3_backup_step(copy, kPagesPerSlice);
    const std::int64_t pages = sqlite3_backup_pagecount(copy);
    stopped = !go_on(pages - sqlite3_backup_remaining(copy), pages);
  }
  sqlite3_backup_finish(copy);
  if (stopped) return Cancelled("the copy of the results store was stopped");
  return code == SQLITE_DONE ? absl::OkStatus() : target.Failure(code);
}

constexpr char kFirstPage[] = "SELECT count(*) FROM sqlite_schema";
constexpr char kSelectTables[] =
    "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
constexpr char kForeignKeys[] = "PRAGMA foreign_key_check";

}  // namespace

// The transaction keeps the snapshot from the first page to the last, whatever is committed
// meanwhile, so that the copy never starts anew.
absl::Status Database::CopyTo(const std::string& path, const CopyProgress& go_on) {
  ENSURE(access_ == Access::kReadOnly);
  unlink(path.c_str());
  absl::Status status;
  {
    CopyTarget target(path);
    absl::StatusOr<Transaction> snapshot = Transaction::Begin(*this);
    status = snapshot.status();
    if (status.ok()) status = ReadInteger(kFirstPage).status();
    int reserved = -1;  // asks
    sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (status.ok()) status = target.Open(reserved);
    if (status.ok()) status = CopyPages(handle_, target, go_on);
    if (status.ok()) status = target.LeaveWal();
  }
  if (status.ok()) status = SyncFile(path);
  if (!status.ok()) unlink(path.c_str());
  return status;
}

absl::StatusOr<std::vector<std::string>> Database::FindDamage(const std::function<bool()>& go_on) {
  std::vector<std::string> tables = {"sqlite_schema"};
  {
    ASSIGN_OR_RETURN(Statement rows, Prepare(kSelectTables));
    for (;;) {
      ASSIGN_OR_RETURN(const bool found, rows.Next());
      if (!found) break;
      tables.push_back(rows.Text(0));
    }
  }
  std::vector<std::string> lines;
  for (const std::string& table : tables) {
    if (!go_on()) return Cancelled("the check was stopped");
    const std::string check =
        "PRAGMA integrity_check('" + table + "')";  // a name of our own schema
    sqlite3_stmt* rows = nullptr;
    int code = sqlite3_prepare_v2(handle_, check.c_str(), -1, &rows, nullptr);
    while (code == SQLITE_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(rows, 0));
      const std::string line = text == nullptr ? "" : text;
      if (line != "ok" && lines.size() < kMaxDamageLines)
        lines.push_back(absl::StrCat(table, ": ", line));
      code = SQLITE_OK;
    }
    const absl::Status failure = code == SQLITE_DONE ? absl::OkStatus() : Failure(code);
    sqlite3_finalize(rows);
    if (failure.code() == absl::StatusCode::kDataLoss) {
      lines.push_back(table + ": " + MessageOf(failure));
    } else if (!failure.ok()) {
      return failure;
    }
  }
  if (!lines.empty()) return lines;
  ASSIGN_OR_RETURN(Statement rows, Prepare(kForeignKeys));
  for (;;) {
    ASSIGN_OR_RETURN(const bool found, rows.Next());
    if (!found || lines.size() == kMaxDamageLines) return lines;
    lines.push_back(rows.Text(0) + ": a row names one of " + rows.Text(2) + " that is not there");
  }
}

}  // namespace etude
