#include "client/figure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace etude {
namespace {

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(TickTest, LinearTicksAreRoundAndInside) {
  EXPECT_EQ(TickValues(0, 10, Scale::kLinear, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  for (const double tick : TickValues(1.43, 2.31, Scale::kLinear, 6)) {
    EXPECT_GE(tick, 1.43);
    EXPECT_LE(tick, 2.31);
    EXPECT_NEAR(std::remainder(tick, 0.2), 0, 1e-9);
  }
}

TEST(TickTest, LogTicksArePowersOfTenAndGetDenserOnShortAxes) {
  EXPECT_EQ(TickValues(1, 1e4, Scale::kLog, 6), (std::vector<double>{1, 10, 100, 1000, 10000}));
  const std::vector<double> ticks = TickValues(2.5e5, 3e6, Scale::kLog, 6);
  EXPECT_EQ(ticks, (std::vector<double>{3e5, 1e6, 3e6}));
}

TEST(TickTest, ManyDecadesSkipSome) { EXPECT_LE(TickValues(1, 1e20, Scale::kLog, 6).size(), 7u); }

TEST(TickTest, TextsAreShort) {
  EXPECT_EQ(TickText(300000), "300k");
  EXPECT_EQ(TickText(2.7e6), "2.7M");
  EXPECT_EQ(TickText(1e13), "1e+13");
  EXPECT_EQ(TickText(0.05), "0.05");
  EXPECT_EQ(TickText(0), "0");
}

Figure MakeFigure() {
  Plotted line{
      .kind = Plotted::Kind::kLine, .label = "a < b", .points = {{1, 1}, {10, 2}, {100, 3}}};
  Plotted points{.kind = Plotted::Kind::kPoints,
                 .label = "held out",
                 .color = 1,
                 .hollow = true,
                 .points = {{10, 2}}};
  return {.title = "T & U",
          .panels = {{.title = "one",
                      .x = {.label = "N", .scale = Scale::kLog},
                      .y = {.label = "loss (nats/token)"},
                      .plotted = {line, points}}}};
}

TEST(FigureTest, TextIsEscaped) {
  const std::string svg = RenderSvg(MakeFigure());
  EXPECT_NE(svg.find("T &amp; U"), std::string::npos);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  EXPECT_EQ(svg.find("a < b"), std::string::npos);
}

TEST(FigureTest, LogAxisSpacesEqualRatiosEqually) {
  const std::string svg = RenderSvg(MakeFigure());
  const std::size_t at = svg.find("<polyline points=\"") + 18;
  double x[3];
  double y[3];
  ASSERT_EQ(std::sscanf(svg.c_str() + at, "%lf,%lf %lf,%lf %lf,%lf", &x[0], &y[0], &x[1], &y[1],
                        &x[2], &y[2]),
            6);
  EXPECT_NEAR(x[1] - x[0], x[2] - x[1], 0.2);
  EXPECT_GT(y[0], y[1]);  // up is more
}

TEST(FigureTest, WhatCannotBeShownIsLeftOut) {
  Figure figure = MakeFigure();
  figure.panels[0].plotted[0].points.push_back({-1, 2});
  figure.panels[0].plotted[0].points.push_back({5, std::numeric_limits<double>::quiet_NaN()});
  EXPECT_EQ(RenderSvg(figure), RenderSvg(MakeFigure()));
}

TEST(FigureTest, ElementsAreClosedAndNothingIsNotANumber) {
  const std::string svg = RenderSvg(MakeFigure());
  EXPECT_EQ(Count(svg, "<text"), Count(svg, "</text>"));
  EXPECT_EQ(Count(svg, "nan"), 0);
  EXPECT_EQ(Count(svg, "inf"), 0);
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
}

TEST(FigureTest, APanelWithoutDataIsStillDrawn) {
  const std::string svg = RenderSvg({.title = "empty", .panels = {{.title = "nothing yet"}}});
  EXPECT_NE(svg.find("nothing yet"), std::string::npos);
  EXPECT_EQ(Count(svg, "nan"), 0);
}

}  // namespace
}  // namespace etude
