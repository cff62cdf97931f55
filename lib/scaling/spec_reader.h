// How spec.cc walks a parsed spec: every key that is read is checked and remembered, whatever is
// left over is unknown, and each error is kept with its place in the text. Only for the sources of
// this room.
#ifndef ETUDE_LIB_SCALING_SPEC_READER_H_
#define ETUDE_LIB_SCALING_SPEC_READER_H_

#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/scaling/spec.h"

namespace etude {

// The errors of one text. Not thread-safe.
class SpecErrors {
 public:
  SpecErrors(std::string_view text, std::string file);
  void Add(SourcePosition at, std::string message);
  bool empty() const { return errors_.empty(); }
  // The first kMaxSpecErrors in the order of the file.
  std::vector<SpecDiagnostic> Take();

 private:
  std::string_view text_;
  std::string file_;
  std::vector<SpecDiagnostic> errors_;
};

// The line of `text` that `at` is on, without its end; empty past the end.
std::string_view LineAt(std::string_view text, int line);
SpecDiagnostic MakeDiagnostic(std::string_view text, std::string file, SourcePosition at,
                              std::string message);
// `text` with everything unprintable or not UTF-8 replaced by '?'; at most `max_bytes` of it.
std::string Printable(std::string_view text, std::size_t max_bytes = 64);

SourcePosition PositionOf(const toml::node& node);
// "a string", "a whole number", ...
std::string KindOf(const toml::node& node);
// The value of a number; NaN for anything else.
double NumberOf(const toml::node& node);
// "3" or "0.5" or "1e+15".
std::string NumberText(double value);
// A number or a quantity in a string, in [low, high]; `unit` may follow it. Adds an error and
// returns nullopt for anything else. `what` names the value in the message.
std::optional<double> ReadQuantity(const toml::node& node, const std::string& what,
                                   std::string_view unit, double low, double high,
                                   SpecErrors& errors);

// One table. Read the keys it may have, then call Finish. A reader without a table reads nothing.
class TableReader {
 public:
  // `where` names the table in messages: "[train]".
  TableReader(const toml::table* table, std::string where, SpecErrors& errors);

  // The value of `key`, which is known from now on; nullptr if it is not there.
  const toml::node* Find(const char* key);
  std::optional<std::int64_t> Whole(const char* key, std::int64_t low, std::int64_t high);
  // In [low, high], or in (low, high] when `open`.
  std::optional<double> Real(const char* key, double low, double high, bool open = false);
  std::optional<bool> Flag(const char* key);
  std::optional<std::string> Text(const char* key);
  const toml::table* Table(const char* key);
  // A list of 1 to kMaxValues values.
  const toml::array* List(const char* key);
  // One of `names`, as its index.
  std::optional<std::size_t> Choice(const char* key, const std::vector<std::string>& names);

  // Says that `key` is part of the format, but not of this version.
  void NotYet(const char* key, const std::string& instead);
  void Fail(const toml::node& node, const std::string& message);
  const std::string& where() const { return where_; }
  SourcePosition at() const;
  // Adds an error for each key that was not read.
  void Finish();

 private:
  void WrongType(const toml::node& node, const char* key, const std::string& wanted);

  const toml::table* table_;
  std::string where_;
  SpecErrors& errors_;
  std::vector<std::string> known_;
};

}  // namespace etude

#endif  // ETUDE_LIB_SCALING_SPEC_READER_H_
