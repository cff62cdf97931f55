#include "storage/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>
#include <utility>

#include "lib/base/status.h"
#include "storage/sqlite_page_check.h"

namespace etude {
namespace {

constexpr int kPageBytes = 8192;
constexpr int kCheckpointPages = 1024;    // 8 MiB of WAL
constexpr int kWalLimitBytes = 64 << 20;  // a larger WAL file shrinks when it restarts
constexpr int kCacheKibibytes = 65536;    // page cache of one connection
constexpr int kHeaderBytes = 100;
constexpr int kReservedAt = 20;  // in the file's header: bytes reserved at each page's end
constexpr std::int64_t kMaxRewrittenBytes = std::int64_t{256} << 20;
constexpr int kReaderBusyMilliseconds = 5000;  // a reader waits for recovery of the WAL
constexpr int kWriterBusyMilliseconds = 200;   // the writer's batch is tried again instead

bool IsFull(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

absl::Status FullDisk(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  return ResourceExhausted(path + ": the disk is full; nothing stored is lost. Free some space: " +
                           "df -h " + (directory.empty() ? "." : directory));
}

absl::Status Damaged(const std::string& path, const std::string& reason) {
  return DataLoss(path + ": the results store is damaged (" + reason +
                  "). Stop the coordinator and run: etude db restore DIR --replace");
}

absl::Status FromIoError(int code, int system_error, const std::string& path,
                         const std::string& reason) {
  if (IsFull(system_error)) return FullDisk(path);
  if (code == SQLITE_IOERR_CORRUPTFS || code == SQLITE_IOERR_DATA) return Damaged(path, reason);
  return Unavailable(path + ": the disk failed (" + reason + ", " + std::strerror(system_error) +
                     "). See: dmesg | tail");
}

// The one place where SQLite's result codes become ours. `code` is an extended one.
absl::Status FromResultCode(int code, int system_error, const std::string& path,
                            const std::string& reason) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return FullDisk(path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Damaged(path, reason);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Unavailable(path + ": another program holds its lock (" + reason +
                         "). It is named by: fuser " + path);
    case SQLITE_IOERR:
      return FromIoError(code, system_error, path, reason);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return PermissionDenied(path + ": cannot be written (" + reason +
                              "). Check its owner and mode: ls -l " + path);
    case SQLITE_CANTOPEN:
      return system_error != 0
                 ? FromErrno(system_error, "open " + path)
                 : NotFound("open " + path + ": " + reason + ". Check: ls -l " + path);
    case SQLITE_CONSTRAINT:
      return FailedPrecondition(path + ": the change contradicts what is stored (" + reason + ")");
    case SQLITE_NOMEM:
      return ResourceExhausted(path + ": out of memory");
    case SQLITE_TOOBIG:
      return InvalidArgument(path + ": a value is too large to store");
    case SQLITE_INTERRUPT:
      return Cancelled(path + ": interrupted");
    default:
      return Internal(path + ": " + reason);
  }
}

std::string Pragma(const char* name, std::int64_t value) {
  return std::string("PRAGMA ") + name + " = " + std::to_string(value) + ";";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Access access) {
  std::unique_ptr<Database> database(new Database(path, access));
  RETURN_IF_ERROR(database->OpenHandle());
  RETURN_IF_ERROR(database->Configure());
  if (access == Access::kReadWrite) RETURN_IF_ERROR(database->StartWal());
  return database;
}

Database::~Database() {
  for (auto& [sql, handles] : idle_) {
    for (sqlite3_stmt* handle : handles) sqlite3_finalize(handle);
  }
  sqlite3_close_v2(handle_);
}

absl::Status Database::OpenHandle() {
  const int mode = access_ == Access::kReadOnly ? SQLITE_OPEN_READONLY
                                                : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code =
      sqlite3_open_v2(path_.c_str(), &handle_, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                      PageCheckedFiles());
  if (code != SQLITE_OK) return Failure(code);
  const bool reader = access_ == Access::kReadOnly;
  sqlite3_busy_timeout(handle_, reader ? kReaderBusyMilliseconds : kWriterBusyMilliseconds);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, reader ? 1 : 0, nullptr);
  return absl::OkStatus();
}

absl::Status Database::Configure() {
  return Execute(Pragma("trusted_schema", 0) + Pragma("cell_size_check", 1) +
                 Pragma("mmap_size", 0) + Pragma("cache_size", -kCacheKibibytes) +
                 "PRAGMA temp_store = MEMORY;" +
                 Pragma("query_only", access_ == Access::kReadOnly ? 1 : 0));
}

// A file that was made before pages had checksums is written anew once, unless it is large.
absl::Status Database::ReservePageChecks() {
  RETURN_IF_ERROR(Execute(Pragma("page_size", kPageBytes)));
  int reserved = kPageCheckBytes;  // after the page's size, which takes it back
  sqlite3_file_control(handle_, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  std::ifstream file(path_, std::ios::binary);
  char header[kHeaderBytes];
  const bool made = static_cast<bool>(file.read(header, kHeaderBytes));
  if (!made || header[kReservedAt] != 0 || bytes() > kMaxRewrittenBytes) return absl::OkStatus();
  RETURN_IF_ERROR(CheckIntegrity());  // it might be the header that is damaged
  return Execute("PRAGMA journal_mode = DELETE; VACUUM");
}

// The page size counts only before the file is made, and so before it is in WAL mode.
absl::Status Database::StartWal() {
  RETURN_IF_ERROR(ReservePageChecks());
  static constexpr char kJournalMode[] = "PRAGMA journal_mode = WAL";
  {
    ASSIGN_OR_RETURN(Statement mode, Prepare(kJournalMode));
    ASSIGN_OR_RETURN(const bool found, mode.Next());
    if (!found || mode.Text(0) != "wal") {
      return FailedPrecondition(path_ + ": its file system cannot hold a write-ahead log. Keep " +
                                "the state directory on a local disk: etude up --state DIR");
    }
  }
  RETURN_IF_ERROR(Execute("PRAGMA synchronous = FULL;" + Pragma("foreign_keys", 1) +
                          Pragma("wal_autocheckpoint", 0) +
                          Pragma("journal_size_limit", kWalLimitBytes)));
  sqlite3_wal_hook(handle_, &Database::OnWalCommit, this);
  return absl::OkStatus();
}

int Database::OnWalCommit(void* self, sqlite3*, const char*, int pages) {
  static_cast<Database*>(self)->wal_pages_ = pages;
  return SQLITE_OK;
}

absl::Status Database::Failure(int code) const {
  // SQLite forgets which system call failed when it was in a COMMIT; errno still has it.
  const int last_error = errno;
  const std::string reason =
      handle_ == nullptr ? sqlite3_errstr(code) : std::string(sqlite3_errmsg(handle_));
  int system_error = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  if (system_error == 0 && (code & 0xff) == SQLITE_IOERR) system_error = last_error;
  return FromResultCode(code, system_error, path_, reason);
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::StatusOr<Statement> Database::Prepare(const char* sql) {
  std::vector<sqlite3_stmt*>& idle = idle_[sql];
  if (!idle.empty()) {
    sqlite3_stmt* handle = idle.back();
    idle.pop_back();
    return Statement(*this, sql, handle);
  }
  sqlite3_stmt* handle = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  return Statement(*this, sql, handle);
}

void Database::GiveBack(const char* sql, sqlite3_stmt* handle) {
  sqlite3_reset(handle);
  sqlite3_clear_bindings(handle);
  idle_[sql].push_back(handle);
}

absl::StatusOr<std::int64_t> Database::ReadInteger(const char* sql) {
  ASSIGN_OR_RETURN(Statement rows, Prepare(sql));
  ASSIGN_OR_RETURN(const bool found, rows.Next());
  if (!found) return Internal(path_ + ": no row from: " + sql);
  return rows.Integer(0);
}

absl::Status Database::CheckIntegrity() {
  static constexpr char kCheck[] = "PRAGMA quick_check(1)";
  ASSIGN_OR_RETURN(Statement rows, Prepare(kCheck));
  ASSIGN_OR_RETURN(const bool found, rows.Next());
  if (found && rows.Text(0) == "ok") return absl::OkStatus();
  return Damaged(path_, found ? rows.Text(0) : "no result of quick_check");
}

std::int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_); }
int Database::changes() const { return sqlite3_changes(handle_); }
bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

std::int64_t Database::bytes() const {
  std::error_code error;
  const auto size = std::filesystem::file_size(path_, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

absl::Status Database::CheckpointIfDue() {
  if (wal_pages_ < checkpointed_pages_) checkpointed_pages_ = 0;  // the WAL has restarted
  if (wal_pages_ - checkpointed_pages_ < kCheckpointPages) return absl::OkStatus();
  checkpointed_pages_ = wal_pages_;
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

absl::Status Database::EmptyWal() {
  const int code =
      sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Failure(code);
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      sql_(other.sql_),
      handle_(std::exchange(other.handle_, nullptr)),
      bind_error_(other.bind_error_) {}

Statement::~Statement() {
  if (handle_ != nullptr) database_->GiveBack(sql_, handle_);
}

void Statement::Reset() {
  sqlite3_reset(handle_);
  bind_error_ = SQLITE_OK;
}

void Statement::BindInteger(int index, std::int64_t value) {
  if (const int code = sqlite3_bind_int64(handle_, index, value)) bind_error_ = code;
}

void Statement::BindReal(int index, double value) {
  if (const int code = sqlite3_bind_double(handle_, index, value)) bind_error_ = code;
}

void Statement::BindText(int index, std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  if (const int code =
          sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8)) {
    bind_error_ = code;
  }
}

void Statement::BindNull(int index) {
  if (const int code = sqlite3_bind_null(handle_, index)) bind_error_ = code;
}

absl::StatusOr<bool> Statement::Next() {
  if (bind_error_ != SQLITE_OK) return database_->Failure(bind_error_);
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_);
    return false;
  }
  const absl::Status failure = database_->Failure(code);
  sqlite3_reset(handle_);
  return failure;
}

absl::Status Statement::Run() {
  ASSIGN_OR_RETURN(const bool row, Next());
  if (!row) return absl::OkStatus();
  sqlite3_reset(handle_);
  return Internal(database_->path() + ": unexpected row from: " + sql_);
}

std::int64_t Statement::Integer(int column) const { return sqlite3_column_int64(handle_, column); }

double Statement::Real(int column) const {
  return IsNull(column) ? std::numeric_limits<double>::quiet_NaN()
                        : sqlite3_column_double(handle_, column);
}

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(handle_, column);
  const int bytes = sqlite3_column_bytes(handle_, column);
  return text == nullptr
             ? std::string()
             : std::string(reinterpret_cast<const char*>(text), static_cast<std::size_t>(bytes));
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  static constexpr char kBeginRead[] = "BEGIN DEFERRED";
  static constexpr char kBeginWrite[] = "BEGIN IMMEDIATE";
  const bool reader = database.access() == Database::Access::kReadOnly;
  ASSIGN_OR_RETURN(Statement begin, database.Prepare(reader ? kBeginRead : kBeginWrite));
  RETURN_IF_ERROR(begin.Run());
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

// SQLite rolls some failures back by itself, so there may be nothing left to undo.
Transaction::~Transaction() {
  if (database_ == nullptr || !database_->in_transaction()) return;
  const absl::Status ignored = database_->Execute("ROLLBACK");
  ENSURE(ignored.ok() || !database_->in_transaction());
}

absl::Status Transaction::Commit() {
  static constexpr char kCommit[] = "COMMIT";
  ASSIGN_OR_RETURN(Statement commit, database_->Prepare(kCommit));
  RETURN_IF_ERROR(commit.Run());
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace etude
