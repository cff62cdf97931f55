#include "lib/models/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "lib/base/file.h"
#include "lib/base/status.h"
#include "tests/unit/models/training_fixture.h"

namespace etude {
namespace {

std::string File(const std::string& header, std::size_t data_bytes) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(data_bytes, '\1');
}

std::string Entry(const std::string& name, const std::string& shape, int begin, int end,
                  const std::string& type = "F32") {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TEST(SafetensorsTest, ReadsBackWhatItWrote) {
  const float matrix[6] = {1, 2, 3, 4, 5, 6};
  const std::int64_t step = 7;
  const std::string file =
      EncodeSafetensors({{"b", ElementType::kF32, {2, 3}, std::as_bytes(std::span(matrix))},
                         {"a", ElementType::kI64, {}, std::as_bytes(std::span(&step, 1))}},
                        {{"format", "pt"}});
  const Safetensors read = DecodeSafetensors(file).value();
  EXPECT_EQ(read.metadata.at("format"), "pt");
  ASSERT_NE(read.Find("b"), nullptr);
  EXPECT_THAT(read.Find("b")->shape, testing::ElementsAre(2, 3));
  EXPECT_EQ(std::memcmp(read.Find("b")->bytes.data(), matrix, sizeof(matrix)), 0);
  EXPECT_EQ(std::memcmp(read.Find("a")->bytes.data(), &step, sizeof(step)), 0);
  EXPECT_EQ(read.arrays.front().name, "a");  // larger elements first, so that all stay aligned
}

TEST(SafetensorsTest, PythonReadsOurFiles) {
  if (PythonPath().empty())
    GTEST_SKIP() << "SKIPPED LOUDLY: no Python in .deps/venv or ETUDE_PYTHON";
  const float values[2] = {1.5f, -2.0f};
  const std::string path = NewDirectory() + "/f.safetensors";
  ASSERT_TRUE(WriteFileAtomically(
                  path, EncodeSafetensors(
                            {{"x.y", ElementType::kF32, {1, 2}, std::as_bytes(std::span(values))}},
                            {{"format", "pt"}}))
                  .ok());
  EXPECT_EQ(RunOracle("read_safetensors.py", path), "pt x.y [[1.5, -2.0]]\n");
}

TEST(SafetensorsTest, AcceptsAnEmptyFileAndAScalar) {
  EXPECT_TRUE(DecodeSafetensors(File("{}", 0)).ok());
  EXPECT_TRUE(DecodeSafetensors(File("{" + Entry("x", "[]", 0, 4) + "}", 4)).ok());
  EXPECT_TRUE(DecodeSafetensors(File("{" + Entry("x", "[0,5]", 0, 0) + "}", 0)).ok());
}

struct Hostile {
  std::string name;
  std::string file;
};
class HostileSafetensorsTest : public testing::TestWithParam<Hostile> {};

TEST_P(HostileSafetensorsTest, IsRefusedAsDataLoss) {
  const absl::StatusOr<Safetensors> read = DecodeSafetensors(GetParam().file);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(MessageOf(read.status()).find("safetensors: "), std::string::npos);
}

std::vector<Hostile> HostileFiles() {
  const std::string good = Entry("x", "[1]", 0, 4);
  std::string huge_length = File("{}", 0);
  huge_length[7] = '\x7f';
  std::string many = "{" + Entry("a0", "[0]", 0, 0);
  for (int i = 1; i <= 10001; ++i) many += "," + Entry("a" + std::to_string(i), "[0]", 0, 0);
  return {
      {"Empty", ""},
      {"ShorterThanLength", "abc"},
      {"HugeLength", huge_length},
      {"TruncatedHeader", File("{" + good + "}", 4).substr(0, 20)},
      {"TruncatedData", File("{" + good + "}", 3)},
      {"TrailingBytes", File("{" + good + "}", 5)},
      {"Hole", File("{" + good + "," + Entry("y", "[1]", 8, 12) + "}", 12)},
      {"Overlap", File("{" + good + "," + Entry("y", "[1]", 2, 6) + "}", 6)},
      {"SameBytesTwice", File("{" + good + "," + Entry("y", "[1]", 0, 4) + "}", 4)},
      {"ShapeMismatch", File("{" + Entry("x", "[2]", 0, 4) + "}", 4)},
      {"ShapeOverflow", File("{" + Entry("x", "[4611686018427387904,4]", 0, 0) + "}", 0)},
      {"NegativeDimension", File("{" + Entry("x", "[-1]", 0, 4) + "}", 4)},
      {"FractionalDimension", File("{" + Entry("x", "[1.0]", 0, 4) + "}", 4)},
      {"BeginAfterEnd", File("{" + Entry("x", "[1]", 4, 0) + "}", 4)},
      {"UnknownType", File("{" + Entry("x", "[1]", 0, 4, "F99") + "}", 4)},
      {"DuplicateName", File("{" + good + "," + good + "}", 4)},
      {"ExtraField", File(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"z":1}})", 4)},
      {"MissingField", File(R"({"x":{"dtype":"F32","shape":[1]}})", 4)},
      {"PathAsName", File("{" + Entry("../../etc/x", "[1]", 0, 4) + "}", 4)},
      {"NumberAsMetadata", File(R"({"__metadata__":{"a":1}})", 0)},
      {"NotJson", File("{x", 0)},
      {"NotAnObject", File("[]", 0)},
      {"LeadingSpace", File(" {}", 0)},
      {"NotUtf8", File("{\"__metadata__\":{\"a\":\"\xff\"}}", 0)},
      {"TooDeep", File(R"({"__metadata__":{"a":[[[[1]]]]}})", 0)},
      {"TooManyArrays", File(many + "}", 0)}};
}

INSTANTIATE_TEST_SUITE_P(All, HostileSafetensorsTest, testing::ValuesIn(HostileFiles()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace etude
