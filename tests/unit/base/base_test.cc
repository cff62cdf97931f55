#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hash.h"
#include "lib/base/mutex.h"
#include "lib/base/random.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace fs = std::filesystem;

std::string FreshDirectory() {
  std::string name = testing::TempDir() + "base_test.XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name;
}

// FIPS 180-2, appendix B.
TEST(HashTest, Sha256KnownAnswers) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(HashTest, PiecesHashAsTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("bc");
  EXPECT_EQ(hash.HexDigest(), Sha256Hex("abc"));
}

TEST(HashTest, FileHashesAsItsBytes) {
  const std::string path = FreshDirectory() + "/bytes";
  ASSERT_TRUE(WriteFileAtomically(path, "abc").ok());
  EXPECT_EQ(*Sha256HexOfFile(path), Sha256Hex("abc"));
  EXPECT_EQ(Sha256HexOfFile(path + "-absent").status().code(), absl::StatusCode::kNotFound);
}

TEST(HashTest, OnlyLowerCaseDigestsAreHashes) {
  EXPECT_TRUE(IsSha256Hex(Sha256Hex("abc")));
  EXPECT_FALSE(IsSha256Hex(std::string(64, 'A')));
  EXPECT_FALSE(IsSha256Hex(std::string(63, 'a')));
}

// RFC 3720, appendix B.4, and the check value of the Castagnoli polynomial.
TEST(HashTest, Crc32cKnownAnswers) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c("456789", Crc32c("123")), Crc32c("123456789"));
}

// The known-answer vectors that Salmon et al. distribute with Random123.
TEST(RandomTest, PhiloxKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomTest, StreamsOfOneSeedDiffer) {
  const CounterRandom order(7, RandomStream::kWindowOrder);
  const CounterRandom dropout(7, RandomStream::kDropout);
  const CounterRandom second(7, RandomStream::kDropout, 1);
  EXPECT_NE(order.Word64(0), dropout.Word64(0));
  EXPECT_NE(dropout.Word64(0), second.Word64(0));
}

TEST(RandomTest, BelowIsUniformWithinFourSigma) {
  const CounterRandom random(1, RandomStream::kSampling);
  std::array<int, 10> counts{};
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(random.Below(static_cast<std::uint64_t>(i), 10));
  for (const int count : counts) EXPECT_NEAR(count, kDraws / 10, 4 * 95);
}

TEST(FileTest, AtomicWriteLeavesNoTemporary) {
  const std::string directory = FreshDirectory();
  ASSERT_TRUE(WriteFileAtomically(directory + "/a", "one", 0600).ok());
  ASSERT_TRUE(WriteFileAtomically(directory + "/a", "two", 0600).ok());
  EXPECT_EQ(*ReadFile(directory + "/a"), "two");
  struct stat facts {};
  ASSERT_EQ(stat((directory + "/a").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory), fs::directory_iterator()), 1);
}

TEST(FileTest, WhatRootWritesForAnotherUserStaysThatUsers) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can";
  const std::string path = FreshDirectory() + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "one", 0600).ok());
  ASSERT_EQ(chown(path.c_str(), 1234, 1235), 0);
  ASSERT_TRUE(WriteFileAtomically(path, "two", 0600).ok());
  struct stat facts {};
  ASSERT_EQ(stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_uid, 1234u);
  EXPECT_EQ(facts.st_gid, 1235u);
}

TEST(FileTest, FailedWriteKeepsTheOldFile) {
  const absl::Status status = WriteFileAtomically("/proc/no-such-place/file", "x");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(MessageOf(status).find("/proc/no-such-place/file"), std::string::npos);
}

TEST(FileTest, APipeOrDeviceIsNotReplaced) {
  const std::string path = FreshDirectory() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(WriteFileAtomically(path, "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(fs::is_fifo(path));
}

TEST(FileTest, ReadNamesTheLimitAndTheDirectory) {
  const std::string directory = FreshDirectory();
  ASSERT_TRUE(WriteFileAtomically(directory + "/a", "12345").ok());
  EXPECT_EQ(ReadFile(directory + "/a", 4).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(directory).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile(directory + "/b").status().code(), absl::StatusCode::kNotFound);
}

TEST(FileTest, MakeDirectoriesRefusesAFileInTheWay) {
  const std::string directory = FreshDirectory();
  EXPECT_TRUE(MakeDirectories(directory + "/a/b/c").ok());
  EXPECT_TRUE(MakeDirectories(directory + "/a/b/c").ok());
  ASSERT_TRUE(WriteFileAtomically(directory + "/file", "x").ok());
  EXPECT_FALSE(MakeDirectories(directory + "/file").ok());
}

TEST(FileTest, OnlyPlainComponentsAreSafeNames) {
  for (const char* name : {"a", "model.safetensors", "step-00000001", "A_b-9"})
    EXPECT_TRUE(IsSafeFileName(name)) << name;
  for (const char* name : {"", ".", "..", "a/b", "../x", "a\\b", "a b", "%2e"})
    EXPECT_FALSE(IsSafeFileName(name)) << name;
}

TEST(StatusTest, AnnotateKeepsTheCodeAndNamesThePlace) {
  const absl::Status status = Annotate(ResourceExhausted("disk full"), "job 3");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(MessageOf(status), "job 3: disk full");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "job 3").ok());
}

TEST(StatusTest, ErrnoTellsTheCallerWhatToDo) {
  EXPECT_EQ(FromErrno(ENOSPC, "write x").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(FromErrno(ENOENT, "open x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FromErrno(EACCES, "open x").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(FromErrno(EIO, "read x").code(), absl::StatusCode::kInternal);
}

TEST(ClockTest, MicrosRoundTripAndTimesAreUtc) {
  EXPECT_EQ(ToMicros(FromMicros(1700000000123456)), 1700000000123456);
  EXPECT_EQ(ToIso8601(FromMicros(0)), "1970-01-01T00:00:00Z");
}

TEST(MutexTest, CondVarWakesAWaiter) {
  struct Gate {
    Mutex mutex;
    CondVar changed;
    bool open ABSL_GUARDED_BY(mutex) = false;
  } gate;
  std::jthread opener([&gate] {
    MutexLock lock(gate.mutex);
    gate.open = true;
    gate.changed.SignalAll();
  });
  MutexLock lock(gate.mutex);
  while (!gate.open) gate.changed.Wait(gate.mutex);
  EXPECT_TRUE(gate.open);
  EXPECT_FALSE(gate.changed.WaitFor(gate.mutex, absl::Milliseconds(1)));
}

}  // namespace
}  // namespace etude
