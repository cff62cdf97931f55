// SQLite behind three owners: Database (a connection), Statement (a compiled statement in use) and
// Transaction. sqlite3.h stays in sqlite.cc.
#ifndef ETUDE_STORAGE_SQLITE_H_
#define ETUDE_STORAGE_SQLITE_H_

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace etude {

class Statement;

inline constexpr std::size_t kMaxDamageLines = 100;

// One connection to one file in WAL mode. Not thread-safe. Errors of all three classes:
// kResourceExhausted: the disk is full. kDataLoss: the file is damaged or not a database.
// kUnavailable: another connection holds the lock, or the disk failed; send it again.
// kPermissionDenied, kNotFound: the file cannot be opened or written. kFailedPrecondition: the
// write contradicts a constraint of the schema. kInternal: a bug in our SQL.
class Database {
 public:
  // Only one connection to a file may be kReadWrite, in one process, at any time: it alone writes
  // and checkpoints (SQLite before 3.51.3 can lose a WAL that two connections reset).
  enum class Access { kReadOnly, kReadWrite };
  // kReadWrite makes the file if need be; every commit is durable when it returns.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs statements that return nothing of interest, separated by semicolons.
  absl::Status Execute(const std::string& sql);

  // `sql` is one statement in storage that outlives the connection (a constexpr array): it is
  // compiled once and kept under its address.
  absl::StatusOr<Statement> Prepare(const char* sql);

  // Value of the first column of the first row, for pragmas; kInternal without a row.
  absl::StatusOr<std::int64_t> ReadInteger(const char* sql);

  // Reads every page. kDataLoss says what is wrong.
  absl::Status CheckIntegrity();
  // The same and every index and foreign key: what is wrong, a line each, kMaxDamageLines at most.
  // Reads one table after the other, each in a snapshot of its own, so that a writer's WAL can
  // start anew in between. `go_on` is asked before each table; false: kCancelled.
  absl::StatusOr<std::vector<std::string>> FindDamage(const std::function<bool()>& go_on);

  // Copies one snapshot of a kReadOnly connection's file to a new file at `path`, which is durable
  // then and needs no WAL beside it. `go_on` is called after each slice; false: kCancelled. After
  // an error the new file is removed.
  using CopyProgress = std::function<bool(std::int64_t pages_done, std::int64_t pages)>;
  absl::Status CopyTo(const std::string& path, const CopyProgress& go_on);

  std::int64_t last_row() const;  // key of the newest inserted row
  int changes() const;            // rows that the newest statement wrote
  std::int64_t bytes() const;     // size of the main file
  const std::string& path() const { return path_; }
  Access access() const { return access_; }
  bool in_transaction() const;

  // Moves what readers allow from the WAL into the main file, once kCheckpointPages pages were
  // added since the last time. Call between transactions. An error loses nothing: the WAL keeps it.
  absl::Status CheckpointIfDue();
  // Moves all of it, so that a new log begins. kUnavailable: a reader is at work.
  absl::Status EmptyWal();

 private:
  friend class Statement;
  friend class Transaction;
  Database(std::string path, Access access) : path_(std::move(path)), access_(access) {}
  static int OnWalCommit(void* self, sqlite3* handle, const char* name, int pages);
  absl::Status OpenHandle();
  absl::Status Configure();
  absl::Status ReservePageChecks();
  absl::Status StartWal();
  absl::Status Failure(int code) const;
  void GiveBack(const char* sql, sqlite3_stmt* handle);

  const std::string path_;
  const Access access_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<const void*, std::vector<sqlite3_stmt*>> idle_;  // by address of the SQL
  int wal_pages_ = 0;
  int checkpointed_pages_ = 0;  // wal_pages_ at the last checkpoint
};

// A compiled statement in use, given back to its connection when it goes. Not thread-safe; must not
// outlive the Database.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Starts the statement anew with values for ?1, ?2, ...: integers, doubles (NaN becomes NULL),
  // text, std::nullopt or a std::optional of these. An error shows in Next or Run.
  template <typename... Values>
  Statement& Bind(const Values&... values) {
    Reset();
    int index = 0;
    (BindValue(++index, values), ...);
    return *this;
  }

  // True: there is a row to read. False: there are no more.
  absl::StatusOr<bool> Next();
  // For statements without rows.
  absl::Status Run();

  // Columns of the current row, from 0.
  std::int64_t Integer(int column) const;
  int Int(int column) const { return static_cast<int>(Integer(column)); }
  double Real(int column) const;  // NULL reads as NaN
  std::string Text(int column) const;
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(Database& database, const char* sql, sqlite3_stmt* handle)
      : database_(&database), sql_(sql), handle_(handle) {}

  template <typename Value>
  void BindValue(int index, const Value& value) {
    if constexpr (std::integral<Value>) {
      BindInteger(index, static_cast<std::int64_t>(value));
    } else if constexpr (std::floating_point<Value>) {
      BindReal(index, value);
    } else if constexpr (std::is_same_v<Value, std::nullopt_t>) {
      BindNull(index);
    } else if constexpr (std::is_convertible_v<const Value&, std::string_view>) {
      BindText(index, value);
    } else if (value) {
      BindValue(index, *value);
    } else {
      BindNull(index);
    }
  }
  void BindInteger(int index, std::int64_t value);
  void BindReal(int index, double value);
  void BindText(int index, std::string_view value);
  void BindNull(int index);
  void Reset();

  Database* database_;
  const char* sql_;
  sqlite3_stmt* handle_;
  int bind_error_ = 0;
};

// Rolls back unless it was committed. On a kReadOnly connection it is one snapshot to read from; on
// a kReadWrite one it holds the write lock from its start. Not nested.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // Durable once this returns OK. After an error nothing of the transaction is kept.
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace etude

#endif  // ETUDE_STORAGE_SQLITE_H_
