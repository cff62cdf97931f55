#include "lib/music/corpus_collect.h"

#include <fmt/format.h>

#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/status.h"
#include "lib/music/canonical_score.h"
#include "lib/music/corpus_build.h"
#include "lib/music/note_tokenizer.h"

namespace etude {
namespace {

// Characters of ABC a note takes, by which MIDI files weigh as much as tunes of their size.
constexpr std::int64_t kWeightOfNote = 5;
// Half of a SHA-256 tells pieces apart as well.
constexpr std::size_t kIdentityDigits = 32;

std::unique_ptr<const Tokenizer> FixedTokenizer(const TokenizerName& name) {
  if (name.form() == MusicForm::kText) return nullptr;
  auto tokenizer = NewVocabularyBuilder(name)->Finish();
  ENSURE(tokenizer.ok());
  return *std::move(tokenizer);
}

bool CountsNotes(const TokenizerName& name) {
  return name.kind == TokenizerName::Kind::kNote ||
         (name.kind == TokenizerName::Kind::kBpe && name.bpe_base == TokenizerName::Kind::kNote);
}

}  // namespace

PieceCollector::PieceCollector(const TokenizerName& name, Families families)
    : name_(name), families_(families), fixed_(FixedTokenizer(name)) {}

absl::Status PieceCollector::AddFile(const PieceFile& file) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file.path, kMaxSourceFileBytes));
  const auto size = static_cast<std::int64_t>(bytes.size());
  sources_.push_back({.file = file.file, .sha256 = Sha256Hex(bytes), .bytes = size});
  ++counts_.files;
  counts_.chars_before += size;
  int ordinal = 0;
  for (const std::string_view raw : SplitPieces(file, bytes)) {
    AddPiece(ReadPiece(file, raw, families_), file, ordinal++);
  }
  if (tokens_ <= kMaxCorpusTokens) return absl::OkStatus();
  return ResourceExhausted(
      fmt::format("more than {} tokens; build from a part of the files", kMaxCorpusTokens));
}

bool PieceCollector::CountFault(TuneFault fault) {
  switch (fault) {
    case TuneFault::kNoKey:
      ++counts_.dropped_no_key;
      return true;
    case TuneFault::kNoMusic:
      ++counts_.dropped_no_music;
      return true;
    case TuneFault::kTooLong:
      ++counts_.dropped_too_long;
      return true;
    case TuneFault::kNone:
      return false;
  }
  ENSURE(false);
}

absl::StatusOr<std::int64_t> PieceCollector::CountTokens(const Piece& piece) const {
  if (CountsNotes(name_)) return CountNoteTokens(piece.text) + 1;
  if (fixed_ == nullptr) return static_cast<std::int64_t>(piece.text.size()) + 1;
  ASSIGN_OR_RETURN(const TokenIds ids, fixed_->EncodeScore(piece.score));
  return std::ssize(ids) + 1;
}

void PieceCollector::AddPiece(const Piece& piece, const PieceFile& file, int ordinal) {
  ++counts_.tunes_found;
  if (CountFault(piece.fault)) return;
  const std::int64_t notes = NoteCount(piece.score);
  if (notes == 0 && fixed_ != nullptr) {
    CountFault(TuneFault::kNoMusic);
    return;
  }
  const absl::StatusOr<std::int64_t> tokens = CountTokens(piece);
  if (!tokens.ok()) {
    CountFault(TuneFault::kTooLong);
    return;
  }
  if (!identities_.insert(piece.identity.substr(0, kIdentityDigits)).second) {
    ++counts_.duplicates_removed;
    return;
  }
  const std::int64_t weight =
      file.is_midi ? kWeightOfNote * notes : static_cast<std::int64_t>(piece.text.size());
  planned_.push_back({.tokens = *tokens, .weight = weight + 1, .version_keys = piece.version_keys});
  records_.push_back({.file = static_cast<int>(sources_.size()) - 1,
                      .ordinal = ordinal,
                      .notes = notes,
                      .beats = QuarterCount(piece.score)});
  tokens_ += *tokens;
}

absl::Status ReadAgain(const std::vector<PieceFile>& files,
                       const std::vector<CorpusSource>& sources,
                       const std::vector<PieceRecord>& records, Families families,
                       const std::function<absl::Status(int, const Piece&)>& use) {
  for (std::size_t at = 0; at < records.size();) {
    const int number = records[at].file;
    const PieceFile& file = files[number];
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file.path, kMaxSourceFileBytes));
    if (Sha256Hex(bytes) != sources[number].sha256) {
      return FailedPrecondition(
          fmt::format("{} changed while the corpus was built; build it again", file.path));
    }
    const std::vector<std::string_view> pieces = SplitPieces(file, bytes);
    for (; at < records.size() && records[at].file == number; ++at) {
      const Piece piece = ReadPiece(file, pieces[records[at].ordinal], families);
      RETURN_IF_ERROR(use(static_cast<int>(at), piece));
    }
  }
  return absl::OkStatus();
}

}  // namespace etude
