#include "lib/music/corpus_encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "lib/base/status.h"
#include "lib/music/abc_transpose.h"
#include "lib/music/bpe_tokenizer.h"
#include "lib/music/canonical_score.h"
#include "lib/music/corpus_build.h"

namespace etude {
namespace {

std::size_t Index(Split split) { return static_cast<std::size_t>(split); }

// The text up to the line after K:.
std::string_view HeaderOf(std::string_view text) {
  const std::size_t key = text.starts_with("K:") ? 0 : text.find("\nK:");
  if (key == std::string_view::npos) return {};
  const std::size_t end = text.find('\n', key + 1);
  return text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
}

// `piece` in another key, in the form that `form` reads; its score is moved too.
std::optional<Piece> Transposed(const Piece& piece, MusicForm form, int semitones) {
  Piece moved;
  std::optional<Score> score = TransposeScore(piece.score, semitones);
  if (!score) return std::nullopt;
  moved.score = *std::move(score);
  if (form == MusicForm::kScore) return moved;
  std::optional<std::string> text = TransposeAbc(piece.text, semitones);
  if (!text) return std::nullopt;
  moved.text = *std::move(text);
  return moved;
}

// Calls use(semitones, piece) for each copy that can be written; returns how many cannot.
template <typename Use>
int ForEachCopy(const Piece& piece, const EncodeOptions& options, const Use& use) {
  int skipped = 0;
  for (int semitones = -options.transpose; semitones <= options.transpose; ++semitones) {
    if (semitones == 0) continue;
    if (const auto moved = Transposed(piece, options.name.form(), semitones)) {
      use(semitones, *moved);
    } else {
      ++skipped;
    }
  }
  return skipped;
}

// A document in the order of files, and where it goes.
struct Document {
  Split split = Split::kTrain;
  bool is_derived = false;
  int rank = 0;
  int semitones = 0;
  std::size_t start = 0;  // in the buffer
  std::size_t tokens = 0;
  std::uint16_t header = 0;
};

class Encoder {
 public:
  Encoder(const EncodeOptions& options, EncodedCorpus& corpus)
      : options_(options), corpus_(corpus) {}

  absl::Status Add(const Piece& piece, const PieceRecord& record, const KeptPieces::Place& place) {
    corpus_.original_chars += std::ssize(piece.text);
    Document document{.split = place.split, .rank = place.rank};
    RETURN_IF_ERROR(Append(piece, record, document));
    if (place.split != Split::kTrain || options_.transpose == 0) return absl::OkStatus();
    absl::Status status;
    skipped_ += ForEachCopy(piece, options_, [&](int semitones, const Piece& copy) {
      document.is_derived = true;
      document.semitones = semitones;
      if (status.ok()) status = Append(copy, record, document);
    });
    return status;
  }

  // Puts the documents in their order, derived ones behind the others.
  void Finish() {
    std::ranges::sort(documents_, {}, [](const Document& document) {
      return std::tuple(document.split, document.is_derived, document.rank, document.semitones);
    });
    std::array<std::size_t, 3> sizes{};
    for (const Document& document : documents_) sizes[Index(document.split)] += document.tokens;
    for (const Split split : kSplits) corpus_.tokens[Index(split)].reserve(sizes[Index(split)]);
    Augmentation made{.transpose = options_.transpose, .skipped = skipped_};
    for (const Document& document : documents_) {
      const auto begin = buffer_.begin() + static_cast<std::ptrdiff_t>(document.start);
      TokenIds& ids = corpus_.tokens[Index(document.split)];
      ids.insert(ids.end(), begin, begin + static_cast<std::ptrdiff_t>(document.tokens));
      corpus_.headers.push_back(document.header);
      if (!document.is_derived) continue;
      ++made.documents;
      made.tokens += static_cast<std::int64_t>(document.tokens);
    }
    if (options_.transpose > 0) corpus_.augmentation = made;
    corpus_.round_trip = {.notes = fidelity_.notes,
                          .kept = fidelity_.kept,
                          .ranked = fidelity_.share() >= kRankedFidelity};
  }

 private:
  absl::StatusOr<TokenIds> Encode(const Piece& piece) const {
    const Tokenizer& tokenizer = *corpus_.tokenizer;
    return tokenizer.form() == MusicForm::kText ? tokenizer.Encode(piece.text)
                                                : tokenizer.EncodeScore(piece.score);
  }

  // Lexemes and merges end where lines do, so a header is encoded as it is in the whole text.
  absl::StatusOr<std::uint16_t> HeaderTokens(const Piece& piece) const {
    if (corpus_.tokenizer->form() == MusicForm::kScore) return 1;
    ASSIGN_OR_RETURN(const TokenIds ids, corpus_.tokenizer->Encode(HeaderOf(piece.text)));
    return static_cast<std::uint16_t>(
        std::min<std::size_t>(ids.size() + 1, std::numeric_limits<std::uint16_t>::max()));
  }

  absl::Status Append(const Piece& piece, const PieceRecord& record, Document document) {
    ASSIGN_OR_RETURN(const TokenIds ids, Encode(piece));
    ASSIGN_OR_RETURN(document.header, HeaderTokens(piece));
    document.start = buffer_.size();
    document.tokens = ids.size() + 1;
    buffer_.push_back(static_cast<std::uint16_t>(*corpus_.tokenizer->doc_token()));
    buffer_.insert(buffer_.end(), ids.begin(), ids.end());
    documents_.push_back(document);
    Count(piece, record, document);
    if (document.split != Split::kTrain) {
      fidelity_.Add(RoundTrip(*corpus_.tokenizer, ids, piece.score, piece.text));
    }
    if (std::ssize(buffer_) <= kMaxCorpusTokens) return absl::OkStatus();
    return ResourceExhausted(
        fmt::format("more than {} tokens; build from a part of the files", kMaxCorpusTokens));
  }

  void Count(const Piece& piece, const PieceRecord& record, const Document& document) {
    SplitCounts& counts = corpus_.counts[Index(document.split)];
    counts.notes = counts.notes.value_or(0) + record.notes;
    counts.beats = counts.beats.value_or(0) + record.beats;
    counts.header_tokens = counts.header_tokens.value_or(0) + document.header;
    if (corpus_.tokenizer->form() == MusicForm::kScore) return;
    corpus_.chars += std::ssize(piece.text);
    corpus_.text_tokens += static_cast<std::int64_t>(document.tokens) - 1;
  }

  const EncodeOptions& options_;
  EncodedCorpus& corpus_;
  TokenIds buffer_;
  std::vector<Document> documents_;
  std::int64_t skipped_ = 0;
  Fidelity fidelity_;
};

}  // namespace

KeptPieces Keep(std::span<const PlannedPiece> planned, std::span<const PieceRecord> records,
                const CorpusPlan& plan) {
  std::vector<std::optional<KeptPieces::Place>> places(records.size());
  std::int64_t sampled = 0;
  for (const Split split : kSplits) {
    int rank = 0;
    for (const int piece : plan.pieces[Index(split)]) {
      sampled += planned[piece].weight;
      places[piece] = {.split = split,
                       .rank = rank++,
                       .sample = split == Split::kTrain && sampled <= kMaxBpeSample};
    }
  }
  KeptPieces kept;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!places[i]) continue;
    kept.records.push_back(records[i]);
    kept.places.push_back(*places[i]);
  }
  return kept;
}

absl::StatusOr<EncodedCorpus> EncodeCorpus(const std::vector<PieceFile>& files,
                                           const std::vector<CorpusSource>& sources,
                                           const KeptPieces& kept, const EncodeOptions& options) {
  EncodedCorpus corpus;
  const auto builder = NewVocabularyBuilder(options.name);
  const auto learn = [&](int number, const Piece& piece) {
    const KeptPieces::Place& place = kept.places[number];
    if (place.split != Split::kTrain) return absl::OkStatus();
    builder->Add(piece.text, place.sample);
    ForEachCopy(piece, options, [&](int, const Piece& copy) { builder->Add(copy.text, false); });
    return absl::OkStatus();
  };
  if (options.name.form() == MusicForm::kText) {
    RETURN_IF_ERROR(ReadAgain(files, sources, kept.records, options.families, learn));
  }
  ASSIGN_OR_RETURN(corpus.tokenizer, builder->Finish());
  Encoder encoder(options, corpus);
  const auto encode = [&](int number, const Piece& piece) {
    return encoder.Add(piece, kept.records[number], kept.places[number]);
  };
  RETURN_IF_ERROR(ReadAgain(files, sources, kept.records, options.families, encode));
  encoder.Finish();
  return corpus;
}

}  // namespace etude
