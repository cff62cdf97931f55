#include "lib/music/abc_clean.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace etude {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// The body of a cleaned tune in D.
std::string Body(const std::string& music) {
  const std::string text = CleanAbcTune("X:1\nK:D\n" + music + "\n").text;
  return text.starts_with("K:D\n") ? text.substr(4) : "no K:D in " + text;
}
std::string Key(const std::string& value) {
  const std::string text = CleanAbcTune("X:1\nK:" + value + "\nA\n").text;
  return text.substr(2, text.find('\n') - 2);
}
std::string BodyKey(const std::string& tune) { return CleanAbcTune(tune).body_key; }
std::vector<std::string> VersionKeys(const std::string& tune) {
  return CleanAbcTune(tune).version_keys;
}
bool AreVersions(const std::string& a, const std::string& b) {
  for (const std::string& key : VersionKeys(a)) {
    for (const std::string& other : VersionKeys(b)) {
      if (key == other) return true;
    }
  }
  return false;
}

TEST(SplitTunesTest, EachTuneStartsAtItsNumberLine) {
  EXPECT_THAT(SplitTunes("a preface\nX:1\nK:D\nABC\n\nX: 2\nK:G\nGAB\n"),
              ElementsAre("X:1\nK:D\nABC\n\n", "X: 2\nK:G\nGAB\n"));
}

TEST(SplitTunesTest, AnyLineEndWillDo) {
  EXPECT_THAT(SplitTunes("X:1\r\nK:D\r\nX:2\rK:G\r"), ElementsAre("X:1\r\nK:D\r\n", "X:2\rK:G\r"));
  EXPECT_THAT(SplitTunes("no tune"), IsEmpty());
  EXPECT_THAT(SplitTunes(""), IsEmpty());
}

TEST(CleanAbcTuneTest, KeepsMeterUnitKeyAndMusicAlone) {
  const CleanTune tune = CleanAbcTune(
      "X: 7\r\nT: The Little Fair Child\r\nC:Anon\r\nM: 6/8\r\nL: 1/8\r\nR:jig\r\nQ:1/4=90\r\n"
      "Z: \"Transcribed by N. N.\"\r\nK:Gm % two flats\r\n  G | A-d.d   ~(dcd) |\t[1 (3efg f2 "
      ":|\r\n"
      "w: some words\r\nW: more words\r\nN: a note\r\n% remark\r\n\r\n");
  EXPECT_EQ(tune.fault, TuneFault::kNone);
  EXPECT_EQ(tune.text, "M:6/8\nL:1/8\nK:Gm\nG | A-d.d ~(dcd) | [1 (3efg f2 :|\n");
}

TEST(CleanAbcTuneTest, ChangesOfKeyMeterAndUnitStayWhereTheyAre) {
  EXPECT_EQ(Body("ABc|\nK: A Minor\nL: 1/16\nM: C|\nabc|[K:G]gab [M:3/4] [P:A] c2"),
            "ABc|\nK:Am\nL:1/16\nM:C|\nabc|[K:G]gab [M:3/4] c2\n");
}

TEST(CleanAbcTuneTest, VoicesAreKeptByNumber) {
  EXPECT_EQ(Body("V:Fife name=\"Fife I\"\nABc\nV:Drum\nDDD\n[V:Fife]cBA"),
            "V:1\nABc\nV:2\nDDD\n[V:1]cBA\n");
}

TEST(CleanAbcTuneTest, FingeringsAnnotationsAndNamedOrnamentsGo) {
  EXPECT_EQ(Body("u\"4\"e|v(c<A)\"^SEGUE\"A>B !Segno!c!d +trill+e \"unclosed f"),
            "ue|v(c<A)A>B cd e\n");
}

TEST(CleanAbcTuneTest, PlusChordsOfTheFirstStandardBecomeChords) {
  EXPECT_EQ(Body("E|+E3A3+ cBA|"), "E|[E3A3] cBA|\n");
}

TEST(CleanAbcTuneTest, ContinuedLinesAreJoinedAndLayoutMarksGo) {
  EXPECT_EQ(Body("AB``c*\\ % to be continued\ncde|\\\nfga|"), "ABc cde| fga|\n");
}

TEST(CleanAbcTuneTest, BytesBeyondAsciiAndControlsGo) {
  EXPECT_EQ(Body("A\xFC"
                 "B\xE2\x80\x99"
                 "c\x01" +
                 std::string(1, '\0') + "d\x7F|"),
            "ABcd|\n");
}

TEST(CleanAbcTuneTest, SectionEndsThatLookLikeFieldsAreMusic) {
  EXPECT_EQ(Body("dBA\nA:|\ng: |\nA::"), "dBA\nA:|\ng: |\nA::\n");
}

TEST(CleanAbcTuneTest, AFieldLaidBareByCleaningGoesToo) {
  EXPECT_EQ(Body("ABc|\n\"solo\"T:A Title Cabbage\n!f!P:B\ncBA|"), "ABc|\ncBA|\n");
}

TEST(CleanAbcTuneTest, ProseAfterATuneIsLeftOut) {
  EXPECT_EQ(Body("ABc|\n\nThis tune is known throughout the country.\n"), "ABc|\n");
}

TEST(CleanAbcTuneTest, KeysAreSpeltOneWay) {
  EXPECT_EQ(Key("E Minor"), "Em");
  EXPECT_EQ(Key("Emin"), "Em");
  EXPECT_EQ(Key(" A Mixolydian"), "Amix");
  EXPECT_EQ(Key("GMaj"), "G");
  EXPECT_EQ(Key("EM"), "E");
  EXPECT_EQ(Key("F#m clef=bass"), "F#m");
  EXPECT_EQ(Key("Bb"), "Bb");
  EXPECT_EQ(Key("D ^f =c"), "D ^f =c");
  EXPECT_EQ(Key("Hp"), "HP");
  EXPECT_EQ(Key(""), "none");
  EXPECT_EQ(Key("H"), "B");
  EXPECT_EQ(Key("Es"), "Eb");
}

TEST(CleanAbcTuneTest, TunesWithoutKeyOrNotesAreDroppedWithTheReason) {
  EXPECT_EQ(CleanAbcTune("X:1\nT:Lost\nABC|\n").fault, TuneFault::kNoKey);
  EXPECT_EQ(CleanAbcTune("X:1\nK:D\nz4|z4|\n").fault, TuneFault::kNoMusic);
  EXPECT_EQ(CleanAbcTune("X:1\nK:D\n" + std::string(kMaxTuneChars, 'A')).fault,
            TuneFault::kTooLong);
  EXPECT_EQ(CleanAbcTune("").fault, TuneFault::kNoKey);
}

TEST(CleanAbcTuneTest, OutputOfCleaningIsItsOwnCleanForm) {
  const std::string once =
      CleanAbcTune("X:1\nM:C|\nL:1/8\nK:A Dorian\n|:\"Am\"A2  (3cde|[V:x]{g}a!f!b]:|\n").text;
  EXPECT_EQ(CleanAbcTune("X:1\n" + once).text, once);
}

TEST(BodyKeyTest, TitlesBlanksSlursAndBarStylesDoNotMatter) {
  const std::string key = BodyKey("X:1\nT:One\nM:C\nL:1/8\nK:G\n|:(AB) c2|d2 e2:|\nf g||\n");
  EXPECT_EQ(BodyKey("X:9\nT:Two\nM:4/4\nL:1/16\nK:G Major\nABc2 | d2e2 |\nfg|]\n"), key);
}

TEST(BodyKeyTest, NotesKeysAndTupletsMatter) {
  const std::string key = BodyKey("X:1\nK:G\n(3ABc d|\n");
  EXPECT_NE(BodyKey("X:1\nK:G\nABc d|\n"), key);
  EXPECT_NE(BodyKey("X:1\nK:D\n(3ABc d|\n"), key);
  EXPECT_NE(BodyKey("X:1\nK:G\n(3ABc e|\n"), key);
}

TEST(VersionKeysTest, EditionsOfOneTitleShareAKey) {
  const std::string aird = "X:1\nT:The White Cockade\nK:G\nAG|B2B2 B2AG\n";
  EXPECT_TRUE(AreVersions(aird, "X:2\nT:White Cockade, The\nK:D\nfed\n"));
  EXPECT_TRUE(AreVersions(aird, "X:2\nT:WHITE COCKADE -- Reel\nK:D\nfed\n"));
  EXPECT_TRUE(AreVersions(aird, "X:2\nT:Other\nT:White Cockade (2nd setting)\nK:D\nfed\n"));
  EXPECT_FALSE(AreVersions(aird, "X:2\nT:The Black Cockade\nK:D\nfed\n"));
}

TEST(VersionKeysTest, ATransposedOpeningSharesAKey) {
  EXPECT_TRUE(AreVersions("X:1\nT:A\nK:G\nGABc dedB GBAF GG\n",
                          "X:2\nT:B\nK:D\nDE{g}F>G AB|A(FD)F E2C4 DD\n"));
  EXPECT_FALSE(
      AreVersions("X:1\nT:A\nK:G\nGABc dedB GBAF GG\n", "X:2\nT:B\nK:G\nGABc dedB GBAA GG\n"));
}

TEST(VersionKeysTest, AShortMelodyHasNoOpeningKey) {
  EXPECT_THAT(VersionKeys("X:1\nT:(untitled)\nK:G\nGABc\n"), IsEmpty());
}

}  // namespace
}  // namespace etude
