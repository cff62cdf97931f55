// etude tokenize
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "client/command.h"
#include "lib/base/file.h"
#include "lib/base/status.h"
#include "lib/music/canonical_score.h"
#include "lib/music/piece.h"
#include "lib/music/tokenizer.h"

namespace etude {
namespace {

// vocab.json has at most 65,536 texts.
constexpr std::int64_t kMaxVocabularyFileBytes = std::int64_t{16} << 20;

struct TokenizeFlags {
  std::string tokenizer;
  std::string file;
  std::string vocab;
};

using SharedTokenizer = std::shared_ptr<const Tokenizer>;

absl::StatusOr<std::vector<Piece>> ReadPieces(const std::string& path) {
  if (!FileExists(path)) return NotFound(path + ": no such file");
  ASSIGN_OR_RETURN(const std::vector<PieceFile> files, ListPieceFiles(path, /*with_midi=*/true));
  if (files.size() != 1 || files[0].path != path) {
    return WithHint(InvalidArgument(path + " is a directory; a file of ABC or MIDI is read here"),
                    "etude corpus build " + path + " CORPUS_DIR");
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxSourceFileBytes));
  std::vector<Piece> pieces;
  for (const std::string_view raw : SplitPieces(files[0], bytes)) {
    Piece piece = ReadPiece(files[0], raw, Families::kOpening);
    if (piece.fault == TuneFault::kNone) pieces.push_back(std::move(piece));
  }
  if (pieces.empty()) {
    return WithHint(InvalidArgument(path + ": no music in it; a tune begins with X: and has a K:"),
                    "etude tokenize -h");
  }
  return pieces;
}

absl::StatusOr<SharedTokenizer> ReadTokenizer(const TokenizeFlags& flags) {
  ASSIGN_OR_RETURN(const std::string json, ReadFile(flags.vocab, kMaxVocabularyFileBytes));
  ASSIGN_OR_RETURN(SharedTokenizer tokenizer, TokenizerFromJson(json, flags.vocab));
  if (flags.tokenizer.empty()) return tokenizer;
  ASSIGN_OR_RETURN(const TokenizerName name, ParseTokenizerName(flags.tokenizer));
  if (name.text() == tokenizer->scheme()) return tokenizer;
  return WithHint(InvalidArgument(fmt::format("{} is of {} tokens, --tokenizer asks for {}",
                                              flags.vocab, tokenizer->scheme(), name.text())),
                  "etude tokenize --vocab " + flags.vocab + " " + flags.file);
}

// Without a vocabulary one is learned from the file itself.
absl::StatusOr<SharedTokenizer> LearnTokenizer(const TokenizeFlags& flags,
                                               const std::vector<Piece>& pieces) {
  ASSIGN_OR_RETURN(const TokenizerName name,
                   ParseTokenizerName(flags.tokenizer.empty() ? "char" : flags.tokenizer));
  const auto builder = NewVocabularyBuilder(name);
  for (const Piece& piece : pieces) builder->Add(piece.text, /*sample=*/true);
  return builder->Finish();
}

struct Totals {
  std::int64_t tokens = 0;
  std::int64_t unknown = 0;
  std::int64_t beats = 0;
  Fidelity fidelity;
};

absl::StatusOr<std::vector<Cell>> PieceRow(const Tokenizer& tokenizer, const Piece& piece,
                                           std::int64_t number, Totals& totals) {
  if (tokenizer.form() == MusicForm::kText && piece.text.empty()) {
    return WithHint(InvalidArgument(tokenizer.scheme() + " tokens are made from ABC; this is MIDI"),
                    "etude tokenize --tokenizer remi FILE");
  }
  ASSIGN_OR_RETURN(const TokenIds ids, tokenizer.form() == MusicForm::kText
                                           ? tokenizer.Encode(piece.text)
                                           : tokenizer.EncodeScore(piece.score));
  const Fidelity fidelity = RoundTrip(tokenizer, ids, piece.score, piece.text);
  std::vector<std::string> texts;
  std::int64_t unknown = 0;
  for (const int id : ids) {
    texts.push_back(tokenizer.tokens()[id]);
    if (id == tokenizer.unknown_token()) ++unknown;
  }
  totals.tokens += std::ssize(ids);
  totals.unknown += unknown;
  totals.beats += QuarterCount(piece.score);
  totals.fidelity.Add(fidelity);
  return std::vector<Cell>{number,
                           std::ssize(ids),
                           unknown,
                           fidelity.notes,
                           QuarterCount(piece.score),
                           fidelity.share(),
                           std::vector<std::int64_t>(ids.begin(), ids.end()),
                           std::move(texts)};
}

Cell PerNote(const Totals& totals) {
  if (totals.fidelity.notes == 0) return {};
  return static_cast<double>(totals.tokens) / static_cast<double>(totals.fidelity.notes);
}

absl::StatusOr<ExitCode> Tokenize(Session& session, const TokenizeFlags& flags) {
  ASSIGN_OR_RETURN(const std::vector<Piece> pieces, ReadPieces(flags.file));
  ASSIGN_OR_RETURN(const SharedTokenizer tokenizer,
                   flags.vocab.empty() ? LearnTokenizer(flags, pieces) : ReadTokenizer(flags));
  Report report{"pieces",
                {},
                Table{{{"piece", "piece", Show::kCount},
                       {"tokens", "tokens", Show::kCount},
                       {"unknown_tokens", "unknown", Show::kCount},
                       {"notes", "notes", Show::kCount},
                       {"beats", "beats", Show::kCount},
                       {"fidelity", "round trip", Show::kShare},
                       {"ids", ""},
                       {"texts", "text"}},
                      {}},
                "no pieces"};
  Totals totals;
  for (const Piece& piece : pieces) {
    const auto number = static_cast<std::int64_t>(report.list->rows.size()) + 1;
    ASSIGN_OR_RETURN(std::vector<Cell> row, PieceRow(*tokenizer, piece, number, totals));
    report.list->rows.push_back(std::move(row));
  }
  const bool ranked = totals.fidelity.share() >= kRankedFidelity;
  report.facts = {{{"tokenizer", "tokenizer"}, tokenizer->scheme()},
                  {{"vocab", "vocabulary", Show::kCount}, std::int64_t{tokenizer->vocab()}},
                  {{"tokens", "tokens", Show::kCount}, totals.tokens},
                  {{"unknown_tokens", "unknown", Show::kCount}, totals.unknown},
                  {{"notes", "notes", Show::kCount}, totals.fidelity.notes},
                  {{"notes_kept", "kept", Show::kCount}, totals.fidelity.kept},
                  {{"beats", "beats", Show::kCount}, totals.beats},
                  {{"tokens_per_note", "tokens/note"}, PerNote(totals)},
                  {{"fidelity", "round trip", Show::kShare}, totals.fidelity.share()},
                  {{"ranked", "ranked"}, ranked}};
  session.Print(report);
  if (!ranked) {
    session.Say(
        fmt::format("not ranked: {} keeps {:.2f} % of these notes, and comparing losses "
                    "needs 99.9 %",
                    tokenizer->scheme(), 100 * totals.fidelity.share()));
  }
  if (flags.vocab.empty() && tokenizer->form() == MusicForm::kText) {
    session.Say("the vocabulary is this file's own; for a corpus's give --vocab DIR/vocab.json");
  }
  return ExitCode::kOk;
}

}  // namespace

void AddTokenize(CommandTree& tree) {
  const auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command = AddCommand(
      tree, tree.app,
      {"tokenize",
       "Show the tokens of a file of ABC or MIDI.",
       {"etude tokenize --tokenizer remi song.mid -o json",
        "etude tokenize --vocab corpora/folk/vocab.json tune.abc"},
       "Each piece by itself, without its document token. Round trip: the share of notes that are\n"
       "the same after encoding and decoding; schemes below 99.9 % are not ranked."},
      [flags](Session& session) { return Tokenize(session, *flags); });
  command->add_option("file", flags->file, "a .abc, .mid, .midi or .kar file")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--tokenizer", flags->tokenizer,
                   "char, note, remi, pianoroll[:STEPS] or bpe:SIZE[:char|note] (default: that of "
                   "--vocab, else char)")
      ->type_name("T");
  command->add_option("--vocab", flags->vocab, "a corpus's vocab.json (default: learned from FILE)")
      ->type_name("FILE");
}

}  // namespace etude
