#include "lib/music/npy.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "lib/base/status.h"
#include "tests/unit/music/corpus_fixture.h"

namespace etude {
namespace {

using Tokens = std::vector<std::uint16_t>;

std::string V1(const std::string& header, const std::string& data) {
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  return bytes + header + data;
}
std::string TokenHeader(const std::string& dtype, const std::string& shape) {
  return "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

// NumPy's answer, through tests/oracles/check_npy.py.
std::string AskNumpy(const std::string& command, const std::string& path) {
  const char* configured = std::getenv("ETUDE_PYTHON");
  const std::string python = configured != nullptr ? configured : ".deps/venv/bin/python3";
  EXPECT_TRUE(FileExists(python)) << python
                                  << ": no such Python; run make setup, or set ETUDE_PYTHON";
  const std::string line = python + " tests/oracles/check_npy.py " + command + " " + path;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(line.c_str(), "r"), pclose);
  std::string answer;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe.get()) != nullptr) answer += buffer;
  return answer;
}

class NpyFileTest : public CorpusTest {};

TEST(NpyTest, TokensSurviveWritingAndReading) {
  const Tokens tokens = {0, 1, 77, 65535};
  EXPECT_EQ(*ParseTokens(TokensToNpy(tokens), "x"), tokens);
  EXPECT_EQ(*ParseTokens(TokensToNpy({}), "x"), Tokens{});
}

TEST(NpyTest, DataStartAtAMultipleOf64Bytes) {
  for (const std::size_t count : {0, 1, 9, 10, 99, 1000, 65536}) {
    const std::string bytes = TokensToNpy(Tokens(count));
    EXPECT_EQ((bytes.size() - count * 2) % 64, 0u) << count;
  }
}

TEST(NpyTest, IdsOutsideUint16AreRefused) {
  const auto big = ParseTokens(V1(TokenHeader("<u4", "(1,)"), std::string("\0\0\1\0", 4)), "big");
  EXPECT_TRUE(absl::IsDataLoss(big.status()));
  EXPECT_NE(MessageOf(big.status()).find("id 65536 at position 0"), std::string::npos);
  const auto negative = ParseTokens(V1(TokenHeader("<i4", "(1,)"), "\xFF\xFF\xFF\xFF"), "negative");
  EXPECT_TRUE(absl::IsDataLoss(negative.status()));
}

TEST(NpyTest, ErrorNamesTheFileAndSaysItIsTruncated) {
  std::string bytes = TokensToNpy(Tokens(100));
  bytes.resize(bytes.size() - 1);
  const auto tokens = ParseTokens(bytes, "/corpus/train.npy");
  EXPECT_TRUE(absl::IsDataLoss(tokens.status()));
  EXPECT_EQ(MessageOf(tokens.status()).find("/corpus/train.npy: truncated"), 0u);
}

TEST(NpyTest, EveryPrefixOfAFileIsDataLoss) {
  const std::string bytes = TokensToNpy(Tokens{1, 2, 3});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(ParseTokens(bytes.substr(0, size), "x").status())) << size;
  }
}

TEST(NpyTest, BytesLeftOverAreDataLoss) {
  EXPECT_TRUE(absl::IsDataLoss(ParseTokens(TokensToNpy(Tokens(3)) + "x", "x").status()));
}

TEST(NpyTest, HugeShapesAreRefusedWithoutAllocating) {
  for (const char* shape : {"(9223372036854775807,)", "(4611686018427387905,)",
                            "(99999999999999999999999,)", "(4294967296, 4294967296)"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseTokens(V1(TokenHeader("<u2", shape), "ab"), "x").status()));
    EXPECT_TRUE(absl::IsDataLoss(ParseMatrix(V1(TokenHeader("<f8", shape), "ab"), "x").status()));
  }
}

TEST(NpyTest, OtherTypesOrdersAndShapesAreRefused) {
  for (const char* dtype : {">u2", "<f4", "<f8", "|O", "<U1", "", "|b1"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseTokens(V1(TokenHeader(dtype, "(1,)"), "ab"), "x").status()))
        << dtype;
  }
  for (const char* shape : {"(1, 1)", "()", "(1, 1, 1)", "(-1,)", "(1", "1"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseTokens(V1(TokenHeader("<u2", shape), "ab"), "x").status()))
        << shape;
  }
}

TEST(NpyTest, HeadersThatAreNotThePlainDictionaryAreRefused) {
  for (const char* header :
       {"", "{}", "{'descr': '<u2'}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (1,)} + 1"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseTokens(V1(header, "ab"), "x").status())) << header;
  }
}

TEST(NpyTest, OtherFormatVersionsAreRefused) {
  std::string bytes = TokensToNpy(Tokens{1});
  bytes[6] = 3;
  EXPECT_TRUE(absl::IsDataLoss(ParseTokens(bytes, "x").status()));
}

TEST(NpyTest, MatrixKeepsRowsAndColumns) {
  const std::vector<double> values = {1, 2, 3, 4, 5, 6.5};
  const Matrix matrix = *ParseMatrix(MatrixToNpy(values, 2, 3), "x");
  EXPECT_EQ(matrix.rows, 2);
  EXPECT_EQ(matrix.cols, 3);
  EXPECT_EQ(matrix.values, values);
  EXPECT_EQ(ParseMatrix(VectorToNpy(values), "x")->cols, 1);
}

TEST_F(NpyFileTest, NumpyReadsWhatWeWrite) {
  ASSERT_TRUE(WriteTokens(Path("t.npy"), Tokens{3, 0, 65535}).ok());
  EXPECT_EQ(AskNumpy("describe", Path("t.npy")), "uint16 (3,) [3, 0, 65535]\n");
  Write("m.npy", MatrixToNpy(std::vector<double>{1, 2, 3.25, 4}, 2, 2));
  EXPECT_EQ(AskNumpy("describe", Path("m.npy")), "float64 (2, 2) [[1.0, 2.0], [3.25, 4.0]]\n");
  Write("v.npy", VectorToNpy(std::vector<double>{-0.5}));
  EXPECT_EQ(AskNumpy("describe", Path("v.npy")), "float64 (1,) [-0.5]\n");
}

TEST_F(NpyFileTest, WeReadEveryTokenTypeThatNumpyWrites) {
  AskNumpy("write", dir_.string());
  for (const std::string version : {"1_", "2_"}) {
    for (const std::string dtype : {"u1", "u2", "u4", "i4", "i8"}) {
      const auto tokens = ReadTokens(Path(version + dtype + ".npy"));
      ASSERT_TRUE(tokens.ok()) << MessageOf(tokens.status());
      EXPECT_EQ(*tokens, (Tokens{0, 1, 255}));
    }
  }
}

TEST_F(NpyFileTest, TokenCountComesFromHeaderAndFileSize) {
  Write("t.npy", TokensToNpy(Tokens(70'000)));
  EXPECT_EQ(*ReadTokenCount(Path("t.npy")), 70'000);
  std::filesystem::resize_file(Path("t.npy"), 1000);
  EXPECT_TRUE(absl::IsDataLoss(ReadTokenCount(Path("t.npy")).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadTokenCount(Path("none.npy")).status()));
}

}  // namespace
}  // namespace etude
