// Corpora of every scheme from the same tunes.
#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "lib/base/status.h"
#include "lib/music/canonical_score.h"
#include "lib/music/corpus_build.h"
#include "lib/music/corpus_load.h"
#include "lib/music/midi_writer.h"
#include "lib/music/npy.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

constexpr const char* kSchemes[] = {"char",         "note",        "remi",
                                    "pianoroll:12", "bpe:64:char", "bpe:64:note"};

class CorpusSchemesTest : public CorpusTest {
 protected:
  CorpusManifest Build(const std::string& scheme, CorpusBuildOptions options = {}) const {
    options.src = Path("src");
    options.dst = Path(scheme);
    options.tokenizer = scheme;
    if (!options.shares) options.shares = SplitShares{80, 10, 10};
    const auto report = BuildCorpus(options);
    EXPECT_TRUE(report.ok()) << scheme << ": " << MessageOf(report.status());
    return report.ok() ? report->manifest : CorpusManifest();
  }
  TokenIds Tokens(const std::string& scheme, Split split) const {
    const auto tokens = ReadCorpusTokens(Path(scheme), split);
    EXPECT_TRUE(tokens.ok());
    return tokens.ok() ? *tokens : TokenIds();
  }
};

TEST_F(CorpusSchemesTest, EachSchemeBuildsAndItsDocumentsDecode) {
  WriteTunes(60);
  for (const char* scheme : kSchemes) {
    const CorpusManifest manifest = Build(scheme);
    EXPECT_EQ(manifest.tokenizer, scheme);
    EXPECT_TRUE(LoadCorpus(Path(scheme)).ok());
    EXPECT_TRUE(manifest.round_trip->ranked) << scheme;
    const auto vocabulary = ReadVocabulary(Path(scheme));
    ASSERT_TRUE(vocabulary.ok());
    EXPECT_EQ((*vocabulary)->scheme(), scheme);
    const TokenIds ids = Tokens(scheme, Split::kVal);
    EXPECT_EQ(ids[0], *(*vocabulary)->doc_token());
    EXPECT_EQ(std::count(ids.begin(), ids.end(), ids[0]), *manifest.split(Split::kVal).documents);
  }
}

TEST_F(CorpusSchemesTest, EqualSharesHoldOutTheSamePieces) {
  WriteTunes(60);
  const CorpusManifest first = Build("char");
  for (const char* scheme : kSchemes) {
    const CorpusManifest manifest = Build(scheme);
    for (const Split split : kSplits) {
      EXPECT_EQ(manifest.split(split).documents, first.split(split).documents) << scheme;
      EXPECT_EQ(manifest.split(split).notes, first.split(split).notes) << scheme;
      EXPECT_EQ(manifest.split(split).beats, first.split(split).beats) << scheme;
    }
  }
}

TEST_F(CorpusSchemesTest, HeadersAreMarked) {
  WriteTunes(30);
  for (const char* scheme : {"char", "note", "bpe:64:char"}) {
    const CorpusManifest manifest = Build(scheme);
    const auto headers = ReadTokens(Path(std::string(scheme) + "/headers.npy"));
    ASSERT_TRUE(headers.ok());
    EXPECT_EQ(std::ssize(*headers), 30);
    const auto vocabulary = *ReadVocabulary(Path(scheme));
    const TokenIds ids = Tokens(scheme, Split::kTrain);
    EXPECT_EQ(vocabulary->Decode(std::span(ids).first((*headers)[0])), "M:4/4\nL:1/8\nK:D\n");
    std::int64_t sum = 0;
    for (const Split split : kSplits) sum += *manifest.split(split).header_tokens;
    EXPECT_EQ(sum, std::accumulate(headers->begin(), headers->end(), std::int64_t{0}));
  }
}

TEST_F(CorpusSchemesTest, SmallerCorporaLieWithinLarger) {
  WriteTunes(200);
  const CorpusManifest all = Build("char");
  CorpusBuildOptions options;
  options.max_tokens = 4'000;
  options.dst = Path("half");
  const CorpusManifest half = Build("note");  // another scheme takes another directory
  EXPECT_EQ(half.split(Split::kTrain).documents, all.split(Split::kTrain).documents);
  std::filesystem::rename(Path("char"), Path("whole"));
  Build("char", options);
  for (const Split split : kSplits) {
    const TokenIds few = Tokens("char", split);
    const TokenIds many = Tokens("whole", split);
    ASSERT_LT(few.size(), many.size());
    EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  }
}

TEST_F(CorpusSchemesTest, TransposedCopiesStayInTrainingBehindTheOriginals) {
  WriteTunes(40);
  const CorpusManifest plain = Build("remi");
  const TokenIds originals = Tokens("remi", Split::kTrain);
  std::filesystem::remove_all(Path("remi"));
  CorpusBuildOptions options;
  options.transpose = 2;
  const CorpusManifest augmented = Build("remi", options);
  const TokenIds train = Tokens("remi", Split::kTrain);
  EXPECT_TRUE(std::equal(originals.begin(), originals.end(), train.begin()));
  EXPECT_EQ(augmented.augmentation->documents, 4 * *plain.split(Split::kTrain).documents);
  EXPECT_EQ(augmented.augmentation->tokens, std::ssize(train) - std::ssize(originals));
  EXPECT_EQ(augmented.split(Split::kVal).tokens, plain.split(Split::kVal).tokens);
  EXPECT_NE(Read("remi/corpus.json").find("\"unique_tokens\": " + std::to_string(originals.size())),
            std::string::npos);
  EXPECT_EQ(Build("char", options).augmentation->documents, augmented.augmentation->documents);
}

TEST_F(CorpusSchemesTest, MidiIsReadBySchemesOverScores) {
  for (int i = 0; i < 12; ++i) {
    Score score;
    score.voices.resize(1);
    for (int note = 0; note < 40; ++note) {
      score.voices[0].notes.push_back({.onset = note * 240,
                                       .duration = 240,
                                       .pitch = 50 + (note * (i + 3) + i * note * note) % 23});
    }
    Normalize(score);
    Write("src/" + std::to_string(i) + ".mid", WriteMidi(score));
    Write("src/copy/" + std::to_string(i) + ".MID", WriteMidi(score));
  }
  const CorpusManifest manifest = Build("remi");
  EXPECT_EQ(manifest.counts.tunes_kept, 12);
  EXPECT_EQ(manifest.counts.duplicates_removed, 12);
  EXPECT_EQ(manifest.chars_per_token, 0);
  CorpusBuildOptions text{.src = Path("src"), .dst = Path("text")};
  const absl::Status refused = BuildCorpus(text).status();
  ASSERT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_NE(MessageOf(refused).find("etude corpus convert"), std::string::npos);
}

TEST_F(CorpusSchemesTest, CopiesInOtherKeysAreDroppedWhereMelodiesMakeFamilies) {
  WriteTunes(20);
  const std::string tune = "GABd edBG ABAF GEDE|GABd efge dBAF G4|GABc dedB cAFD G2|\n";
  const std::string higher = "ABce fecA BcBG AFEF|ABce fgaf ecBG A4|ABcd efec dBGE A2|\n";
  Write("src/g.abc", "X:1\nT:One\nL:1/8\nK:G\n" + tune);
  Write("src/a.abc", "X:1\nT:Other\nL:1/8\nK:A\n" + higher);
  EXPECT_EQ(Build("char").counts.duplicates_removed, 0);
  std::filesystem::remove_all(Path("char"));
  CorpusBuildOptions options;
  options.families = Families::kMelody;
  EXPECT_EQ(Build("char", options).counts.duplicates_removed, 1);
}

}  // namespace
}  // namespace etude
