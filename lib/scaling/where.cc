#include "lib/scaling/where.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "lib/base/status.h"

namespace etude {
namespace {

constexpr std::string_view kSpaces = " \t\n\r";
constexpr std::string_view kOperators = "=!<>";

struct Spelling {
  std::string_view text;
  WhereTerm::Relation relation;
};
// Longer ones first.
constexpr Spelling kRelations[] = {
    {"!=", WhereTerm::Relation::kUnequal},      {"<=", WhereTerm::Relation::kLessEqual},
    {">=", WhereTerm::Relation::kGreaterEqual}, {"==", WhereTerm::Relation::kEqual},
    {"=", WhereTerm::Relation::kEqual},         {"<", WhereTerm::Relation::kLess},
    {">", WhereTerm::Relation::kGreater}};

std::optional<double> NumberOf(std::string_view text) {
  constexpr std::pair<char, double> kUnits[] = {{'k', 1e3}, {'M', 1e6}, {'B', 1e9}, {'T', 1e12}};
  double unit = 1;
  for (const auto& [letter, factor] : kUnits) {
    if (text.size() > 1 && text.back() == letter) {
      unit = factor;
      text.remove_suffix(1);
      break;
    }
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number * unit;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<Where> Parse() {
    Where where;
    do {
      ASSIGN_OR_RETURN(WhereTerm term, ParseTerm());
      where.push_back(std::move(term));
      if (where.size() > kMaxWhereTerms) {
        return Fail(fmt::format("more than {} terms", kMaxWhereTerms));
      }
      Skip();
    } while (TakeAnd());
    if (at_ != text_.size()) return Fail("expected \"and\" here");
    return where;
  }

 private:
  absl::Status Fail(const std::string& what) const {
    return InvalidArgument(fmt::format(
        "--where: {}, at character {} of \"{}\"; write it as in --where \"family=lstm and "
        "tokens<1M\"",
        what, at_ + 1, text_));
  }

  void Skip() {
    while (at_ < text_.size() && kSpaces.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  std::string_view TakeWord() {
    Skip();
    const std::size_t start = at_;
    while (at_ < text_.size() && kSpaces.find(text_[at_]) == std::string_view::npos &&
           kOperators.find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
    return text_.substr(start, at_ - start);
  }

  bool TakeAnd() {
    const std::size_t start = at_;
    const std::string_view word = TakeWord();
    if (word == "and" || word == "AND") return true;
    at_ = start;
    return false;
  }

  absl::StatusOr<WhereTerm> ParseTerm() {
    WhereTerm term;
    term.column = std::string(TakeWord());
    if (term.column.empty()) return Fail("expected a column's name");
    Skip();
    bool found = false;
    for (const Spelling& spelling : kRelations) {
      if (!text_.substr(at_).starts_with(spelling.text)) continue;
      term.relation = spelling.relation;
      at_ += spelling.text.size();
      found = true;
      break;
    }
    if (!found) return Fail("expected one of = != < <= > >=");
    Skip();
    if (at_ < text_.size() && text_[at_] == '"') {
      const std::size_t end = text_.find('"', at_ + 1);
      if (end == std::string_view::npos) return Fail("the text that begins here has no end");
      term.value = std::string(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      return term;
    }
    term.value = std::string(TakeWord());
    if (term.value.empty()) return Fail("expected a value");
    term.number = NumberOf(term.value);
    return term;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

template <typename Value>
bool Holds(WhereTerm::Relation relation, const Value& left, const Value& right) {
  switch (relation) {
    case WhereTerm::Relation::kEqual:
      return left == right;
    case WhereTerm::Relation::kUnequal:
      return left != right;
    case WhereTerm::Relation::kLess:
      return left < right;
    case WhereTerm::Relation::kLessEqual:
      return left <= right;
    case WhereTerm::Relation::kGreater:
      return left > right;
    case WhereTerm::Relation::kGreaterEqual:
      return left >= right;
  }
  ENSURE(!"a relation");
  return false;
}

absl::StatusOr<bool> HoldsFor(const WhereTerm& term, const std::string& text) {
  const std::optional<double> number = NumberOf(text);
  if (term.number && number) return Holds(term.relation, *number, *term.number);
  const bool ordered = term.relation != WhereTerm::Relation::kEqual &&
                       term.relation != WhereTerm::Relation::kUnequal;
  if (!ordered) return Holds(term.relation, text, term.value);
  if (text.empty()) return false;  // not measured: in no order to anything
  return InvalidArgument(
      fmt::format("--where: {} is \"{}\", which only = and != can be asked of", term.column, text));
}

}  // namespace

absl::StatusOr<Where> ParseWhere(std::string_view text) {
  if (text.size() > kMaxWhereBytes) {
    return InvalidArgument(
        fmt::format("--where: {} bytes, more than {}", text.size(), kMaxWhereBytes));
  }
  if (text.find_first_not_of(kSpaces) == std::string_view::npos) return Where();
  return Parser(text).Parse();
}

absl::StatusOr<bool> Matches(
    const Where& where,
    const std::function<std::optional<std::string>(std::string_view)>& value_of) {
  for (const WhereTerm& term : where) {
    const std::optional<std::string> value = value_of(term.column);
    if (!value) {
      return InvalidArgument(fmt::format("--where: there is no column \"{}\"", term.column));
    }
    ASSIGN_OR_RETURN(const bool holds, HoldsFor(term, *value));
    if (!holds) return false;
  }
  return true;
}

}  // namespace etude
