// A directory of its own for a test, and tunes to build a corpus from.
#ifndef ETUDE_TESTS_UNIT_MUSIC_CORPUS_FIXTURE_H_
#define ETUDE_TESTS_UNIT_MUSIC_CORPUS_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "lib/base/file.h"

namespace etude {

class CorpusTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "etude_music_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string Path(const std::string& name) const { return (dir_ / name).string(); }
  void Write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((dir_ / name).parent_path());
    ASSERT_TRUE(WriteFileAtomically(Path(name), bytes).ok());
  }
  std::string Read(const std::string& name) const {
    const auto bytes = ReadFile(Path(name));
    EXPECT_TRUE(bytes.ok()) << name;
    return bytes.ok() ? *bytes : "";
  }
  // `count` unlike tunes of about 40 characters in one file of src/.
  void WriteTunes(int count) const {
    std::string abc;
    for (int i = 0; i < count; ++i) abc += NumberedTune(i);
    Write("src/tunes.abc", abc);
  }
  // A melody that spells `number` in base 7, so that no two open alike.
  static std::string NumberedTune(int number) {
    std::string melody = "GABcd ";
    for (int digits = 0, rest = number; digits < 8; ++digits, rest /= 7) {
      melody += "CDEFGAB"[rest % 7];
    }
    return "X:1\nT:Tune " + std::to_string(number) + "\nM:4/4\nL:1/8\nK:D\n" + melody + "|]\n\n";
  }

  std::filesystem::path dir_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_UNIT_MUSIC_CORPUS_FIXTURE_H_
