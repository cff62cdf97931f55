#include "lib/music/wad.h"

#include <gtest/gtest.h>

#include <string>

namespace etude {
namespace {

std::string Little(unsigned value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  return bytes;
}
std::string Entry(unsigned at, unsigned size, std::string name) {
  name.resize(8);
  return Little(at) + Little(size) + name;
}

TEST(WadTest, MusicIsToldByItsFirstBytes) {
  const std::string wad = "PWAD" + Little(3) + Little(24) + "MThd musicno" +
                          Entry(12, 10, "D_E1M1") + Entry(22, 2, "OTHER") + Entry(0, 0, "MARK");
  const auto lumps = MidiLumpsOfWad(wad, "x.wad");
  ASSERT_TRUE(lumps.ok());
  ASSERT_EQ(lumps->size(), 1u);
  EXPECT_EQ(lumps->front().name, "D_E1M1");
  EXPECT_EQ(lumps->front().bytes, "MThd music");
}

TEST(WadTest, WhatLiesOutsideIsRefused) {
  const auto refused = [](const std::string& wad) {
    return absl::IsDataLoss(MidiLumpsOfWad(wad, "x.wad").status());
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("IWAD"));
  EXPECT_TRUE(refused("ZWAD" + Little(0) + Little(12)));
  EXPECT_TRUE(refused("IWAD" + Little(1) + Little(12)));
  EXPECT_TRUE(refused("IWAD" + Little(0xFFFFFFFF) + Little(12) + Entry(0, 1, "A")));
  EXPECT_TRUE(refused("IWAD" + Little(1) + Little(0xFFFFFFF0) + Entry(0, 1, "A")));
  EXPECT_TRUE(refused("IWAD" + Little(1) + Little(12) + Entry(0xFFFFFFFF, 0xFFFFFFFF, "A")));
  EXPECT_FALSE(refused("IWAD" + Little(1) + Little(12) + Entry(12, 1, "A")));
}

}  // namespace
}  // namespace etude
