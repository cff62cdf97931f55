// .tar.gz files as a test wants them.
#ifndef ETUDE_TESTS_COMPONENT_CLIENT_TAR_FIXTURE_H_
#define ETUDE_TESTS_COMPONENT_CLIENT_TAR_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "lib/base/file.h"

namespace etude {

// A header and its content, padded.
inline std::string TarEntry(const std::string& path, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) {
    header.replace(at, text.size(), text);
  };
  char size[12];
  std::snprintf(size, sizeof size, "%011zo", content.size());
  put(0, path.substr(0, 100));
  put(100, "0000644");
  put(124, size);
  put(148, "        ");
  header[156] = type;
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char checksum[8];
  std::snprintf(checksum, sizeof checksum, "%06o", sum);
  put(148, std::string(checksum) + '\0');
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}
inline std::string TarEnd() { return std::string(1024, '\0'); }

inline std::string Gzip(const std::string& bytes) {
  std::string path = (std::filesystem::temp_directory_path() / "etude_gz_XXXXXX").string();
  const int fd = mkstemp(path.data());
  const gzFile file = gzdopen(fd, "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  std::string packed = *ReadFile(path);
  std::filesystem::remove(path);
  return packed;
}

// A directory of its own for a test.
class FetchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "etude_fetch_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }
  void Write(const std::string& name, const std::string& bytes, unsigned mode = 0644) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    ASSERT_TRUE(WriteFileAtomically(Path(name), bytes, mode).ok());
  }
  std::string Read(const std::string& name) const {
    const auto bytes = ReadFile(Path(name));
    EXPECT_TRUE(bytes.ok()) << name;
    return bytes.ok() ? *bytes : "";
  }

  std::filesystem::path root_;
};

}  // namespace etude

#endif  // ETUDE_TESTS_COMPONENT_CLIENT_TAR_FIXTURE_H_
