#include "client/figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace etude {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

// What is wrong with the nesting of the elements; empty if nothing is. Texts must be escaped.
std::string NestingFault(const std::string& svg) {
  std::vector<std::string> open;
  std::size_t at = 0;
  while ((at = svg.find('<', at)) != std::string::npos) {
    const std::size_t end = svg.find_first_of("<>", at + 1);
    if (end == std::string::npos || svg[end] == '<') return "a tag is not closed";
    const std::string tag = svg.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] != '/') {
      if (Count(tag, "\"") % 2 != 0) return "an attribute is not closed: " + tag;
      if (tag.back() != '/') open.push_back(name);
    } else {
      if (open.empty() || tag != "/" + open.back()) return tag + " closes something else";
      open.pop_back();
    }
    at = end;
  }
  for (std::size_t and_at = 0; (and_at = svg.find('&', and_at)) != std::string::npos; ++and_at) {
    if (svg.find(';', and_at) > and_at + 5) return "a bare &";
  }
  return open.empty() ? "" : open.back() + " stays open";
}

Plotted MakePlotted(Plotted::Kind kind, const std::string& label, std::vector<XY> points) {
  Plotted plotted;
  plotted.kind = kind;
  plotted.label = label;
  plotted.points = std::move(points);
  return plotted;
}

// Logarithmic in x, linear in y.
Figure MakeFigure(std::vector<Plotted> plotted) {
  Panel panel;
  panel.title = "one";
  panel.x = {"N", Scale::kLog, {}, {}};
  panel.y = {"loss (nats/token)", Scale::kLinear, {}, {}};
  panel.plotted = std::move(plotted);
  Figure figure;
  figure.title = "figure";
  figure.panels = {panel};
  return figure;
}
Figure MakeFigure() {
  return MakeFigure({MakePlotted(Plotted::Kind::kLine, "line", {{1, 1}, {10, 2}, {100, 3}}),
                     MakePlotted(Plotted::Kind::kPoints, "points", {{10, 2}})});
}

TEST(TickTest, LinearTicksAreRoundAndInside) {
  EXPECT_THAT(TickValues(0, 10, Scale::kLinear, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  const std::vector<double> ticks = TickValues(1.43, 2.31, Scale::kLinear, 6);
  ASSERT_THAT(ticks, SizeIs(4));
  for (const double tick : ticks) {
    EXPECT_GE(tick, 1.43);
    EXPECT_LE(tick, 2.31);
    EXPECT_NEAR(std::remainder(tick, 0.2), 0, 1e-9);
  }
}

TEST(TickTest, ZeroIsExactlyZero) {
  EXPECT_THAT(TickTexts(TickValues(-3.7, 3.7, Scale::kLinear, 6)),
              ElementsAre("-3", "-2", "-1", "0", "1", "2", "3"));
}

TEST(TickTest, LogTicksArePowersOfTenAndGetDenserOnShortAxes) {
  EXPECT_THAT(TickValues(1, 1e4, Scale::kLog, 6), ElementsAre(1, 10, 100, 1000, 10000));
  EXPECT_THAT(TickValues(2.5e5, 3e6, Scale::kLog, 6), ElementsAre(3e5, 1e6, 3e6));
  EXPECT_THAT(TickTexts(TickValues(1.2, 5.5, Scale::kLog, 6)),
              ElementsAre("1.5", "2.0", "3.0", "4.0", "5.0"));
}

TEST(TickTest, LossesOfAStudyHaveEvenTicksWithOneDecimal) {
  EXPECT_THAT(TickTexts(TickValues(1.35, 2.35, Scale::kLog, 6)),
              ElementsAre("1.4", "1.6", "1.8", "2.0", "2.2"));
}

TEST(TickTest, ManyDecadesSkipSome) {
  const std::vector<double> ticks = TickValues(1, 1e20, Scale::kLog, 6);
  EXPECT_LE(ticks.size(), 7u);
  EXPECT_GE(ticks.size(), 3u);
}

TEST(TickTest, WhatSpansNothingHasNoTicks) {
  EXPECT_THAT(TickValues(2, 2, Scale::kLinear, 6), IsEmpty());
  EXPECT_THAT(TickValues(2, 1, Scale::kLog, 6), IsEmpty());
  EXPECT_THAT(TickValues(-1, 10, Scale::kLog, 6), IsEmpty());
  EXPECT_THAT(TickValues(0, kInfinity, Scale::kLinear, 6), IsEmpty());
  EXPECT_THAT(TickValues(1e20, 1e20 * (1 + 1e-15), Scale::kLinear, 6), IsEmpty());
}

TEST(TickTest, TextsAreShort) {
  EXPECT_EQ(TickText(300000), "300k");
  EXPECT_EQ(TickText(2.7e6), "2.7M");
  EXPECT_EQ(TickText(1.5e9), "1.5B");
  EXPECT_EQ(TickText(1e13), "1e13");
  EXPECT_EQ(TickText(-2.5e-4), "-2.5e-4");
  EXPECT_EQ(TickText(0.05), "0.05");
  EXPECT_EQ(TickText(0), "0");
}

TEST(TickTest, WhatRoundsUpTakesTheNextUnit) {
  EXPECT_EQ(TickText(999.99), "1k");
  EXPECT_EQ(TickText(999999), "1M");
  EXPECT_EQ(TickText(9.99999e12), "1e13");
  EXPECT_EQ(TickText(999.8), "999.8");
}

TEST(FigureTest, HostileTextStaysText) {
  Figure figure = MakeFigure();
  const std::string hostile = "<b a=\"1\">&'\x01\xff \xEF\xBF\xBF]]>";
  figure.title = figure.panels[0].title = figure.panels[0].x.label = hostile;
  figure.panels[0].y.label = figure.panels[0].plotted[0].label = hostile;
  figure.panels[0].notes = {hostile};
  const std::string svg = RenderSvg(figure);
  EXPECT_EQ(NestingFault(svg), "");
  EXPECT_EQ(Count(svg, "&lt;b a=&quot;1&quot;&gt;&amp;'?? ?]]&gt;"), 7);  // with <title>
  EXPECT_EQ(svg.find('\x01'), std::string::npos);
  EXPECT_EQ(svg.find('\xff'), std::string::npos);
}

TEST(FigureTest, ElementsAreNestedAndNothingIsNotANumber) {
  Figure figure = MakeFigure();
  figure.panels.push_back(figure.panels[0]);
  figure.panels[1].notes = {"a note"};
  const std::string svg = RenderSvg(figure);
  EXPECT_EQ(NestingFault(svg), "");
  EXPECT_EQ(Count(svg, "nan") + Count(svg, "inf"), 0);
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
}

TEST(FigureTest, ItNamesItselfToThoseWhoCannotSee) {
  const std::string svg = RenderSvg(MakeFigure());
  EXPECT_THAT(svg, HasSubstr("role=\"img\""));
  EXPECT_THAT(svg, HasSubstr("<title>figure</title>"));
}

TEST(FigureTest, EqualFiguresAreEqualBytes) {
  EXPECT_EQ(RenderSvg(MakeFigure()), RenderSvg(MakeFigure()));
}

// The coordinates of the first polyline.
std::vector<XY> FirstPolyline(const std::string& svg) {
  std::vector<XY> points;
  const char* text = svg.c_str() + svg.find("<polyline points=\"") + 18;
  XY point;
  int read = 0;
  while (std::sscanf(text, "%lf,%lf%n", &point.x, &point.y, &read) == 2) {
    points.push_back(point);
    text += read;
  }
  return points;
}

TEST(FigureTest, LogAxisSpacesEqualRatiosEqually) {
  const std::vector<XY> points = FirstPolyline(RenderSvg(MakeFigure()));
  ASSERT_THAT(points, SizeIs(3));
  EXPECT_NEAR(points[1].x - points[0].x, points[2].x - points[1].x, 0.2);
  EXPECT_GT(points[1].x, points[0].x + 10);
  EXPECT_GT(points[0].y, points[1].y + 10);  // up is more
}

TEST(FigureTest, WhatCannotBeShownIsLeftOut) {
  Figure figure = MakeFigure();
  for (Plotted& plotted : figure.panels[0].plotted) {
    for (const XY point : {XY{-1, 2}, XY{0, 2}, XY{5, kNan}, XY{kInfinity, 2}, XY{5, -kInfinity}}) {
      plotted.points.push_back(point);
    }
  }
  EXPECT_EQ(RenderSvg(figure), RenderSvg(MakeFigure()));
}

TEST(FigureTest, NegativeValuesAreFineOnALinearAxis) {
  const std::string svg =
      RenderSvg(MakeFigure({MakePlotted(Plotted::Kind::kLine, "", {{1, -2}, {10, 2}})}));
  EXPECT_THAT(FirstPolyline(svg), SizeIs(2));
  EXPECT_THAT(svg, HasSubstr(">\u22122<"));
}

TEST(FigureTest, EachLabelIsInTheLegendOnce) {
  Figure figure = MakeFigure();
  for (int i = 0; i < 9; ++i) {
    figure.panels[0].plotted.push_back(
        MakePlotted(Plotted::Kind::kLine, "level" + std::to_string(i), {{1, 1}, {2, 2}}));
  }
  const std::string svg = RenderSvg(figure);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(Count(svg, ">level" + std::to_string(i) + "<"), 1) << i;
  }
}

TEST(FigureTest, AnEntryWithoutPointsIsInTheLegendAlone) {
  Figure figure = MakeFigure();
  figure.panels[0].plotted.push_back(MakePlotted(Plotted::Kind::kLine, "law", {}));
  figure.panels[0].plotted.push_back(MakePlotted(Plotted::Kind::kBand, "band", {}));
  const std::string svg = RenderSvg(figure);
  EXPECT_THAT(svg, HasSubstr(">law<"));
  EXPECT_THAT(svg, HasSubstr(">band<"));
  EXPECT_EQ(Count(svg, "<polyline"), 1);
  EXPECT_EQ(Count(svg, "<polygon"), 0);
}

TEST(FigureTest, HollowMarksAreOutlines) {
  Figure figure = MakeFigure({MakePlotted(Plotted::Kind::kPoints, "", {{1, 1}, {2, 2}, {3, 3}})});
  EXPECT_EQ(Count(RenderSvg(figure), "<circle"), 3);
  EXPECT_EQ(Count(RenderSvg(figure), "fill=\"#0072B2\""), 3);
  figure.panels[0].plotted[0].hollow = true;
  EXPECT_EQ(Count(RenderSvg(figure), "stroke=\"#0072B2\""), 3);
  EXPECT_EQ(Count(RenderSvg(figure), "fill=\"#0072B2\""), 0);
}

TEST(FigureTest, AnIndexLooksTheSameInEveryPanel) {
  Figure figure = MakeFigure();
  figure.panels[0].plotted = {MakePlotted(Plotted::Kind::kPoints, "", {{10, 2}})};
  figure.panels[0].plotted[0].color = figure.panels[0].plotted[0].marker = 1;
  figure.panels.push_back(figure.panels[0]);
  figure.panels[1].plotted.insert(figure.panels[1].plotted.begin(),
                                  MakePlotted(Plotted::Kind::kPoints, "", {{20, 3}}));
  const std::string svg = RenderSvg(figure);
  EXPECT_EQ(Count(svg, "height=\"7.2\" fill=\"#D55E00\""), 2);  // squares
  EXPECT_EQ(Count(svg, "<circle"), 1);
}

TEST(FigureTest, LevelsBeyondThePaletteDifferInTheirMarkers) {
  std::vector<Plotted> levels;
  for (int i = 0; i < 14; ++i) {
    levels.push_back(MakePlotted(Plotted::Kind::kPoints, "", {{10, 2}}));
    levels.back().color = levels.back().marker = i;
  }
  Figure figure = MakeFigure();
  std::vector<std::string> looks;
  for (const Plotted& level : levels) {
    figure.panels[0].plotted = {level};
    looks.push_back(RenderSvg(figure));
  }
  std::sort(looks.begin(), looks.end());
  EXPECT_EQ(std::unique(looks.begin(), looks.end()), looks.end());
}

TEST(FigureTest, PanelsOfOneRangeShowOneValueAtOneHeight) {
  Figure figure = MakeFigure();
  figure.panels.push_back(figure.panels[0]);
  figure.panels[1].plotted = {MakePlotted(Plotted::Kind::kPoints, "", {{10, 2}, {100, 9}})};
  const double apart = FirstPolyline(RenderSvg(figure)).back().y;
  figure.same_y = true;
  const double together = FirstPolyline(RenderSvg(figure)).back().y;
  EXPECT_GT(together, apart + 100);  // 3 was the highest, and stands below 9 now
}

TEST(FigureTest, LongTextsAreCutOrWrapped) {
  Figure figure = MakeFigure();
  const std::string longest(500, 'w');
  figure.panels[0].title = figure.panels[0].plotted[0].label = longest;
  figure.panels[0].notes = {"first words " + longest + " last words", std::string(200, ' ') + "x"};
  const std::string svg = RenderSvg(figure);
  EXPECT_EQ(Count(svg, longest), 0);
  EXPECT_EQ(Count(svg, "www...<"), 3);
  EXPECT_THAT(svg, HasSubstr(">first words<"));
  EXPECT_THAT(svg, HasSubstr(">last words<"));
}

TEST(FigureTest, APanelWithoutDataSaysSo) {
  Figure figure = MakeFigure({MakePlotted(Plotted::Kind::kPoints, "", {{-1, kNan}})});
  figure.panels[0].guide_y = 0;
  const std::string svg = RenderSvg(figure);
  EXPECT_THAT(svg, HasSubstr(">no data<"));
  EXPECT_EQ(Count(svg, "nan"), 0);
  EXPECT_EQ(Count(svg, "text-anchor=\"end\""), 0);  // nor are there ticks
  EXPECT_THAT(RenderSvg(MakeFigure()), Not(HasSubstr("no data")));
  EXPECT_EQ(NestingFault(RenderSvg(Figure())), "");
}

TEST(FigureTest, AGuideIsInTheRangeUnlessTheAxisCannotShowIt) {
  Figure figure = MakeFigure({MakePlotted(Plotted::Kind::kPoints, "", {{1, 2}, {10, 3}})});
  const int lines = Count(RenderSvg(figure), "stroke=\"#666666\"");
  figure.panels[0].guide_y = 0;
  EXPECT_EQ(Count(RenderSvg(figure), "stroke=\"#666666\""), lines + 1);
  EXPECT_THAT(RenderSvg(figure), HasSubstr(">0.0<"));
  figure.panels[0].y.scale = Scale::kLog;
  EXPECT_EQ(Count(RenderSvg(figure), "stroke=\"#666666\""), lines);
  EXPECT_EQ(NestingFault(RenderSvg(figure)), "");
}

TEST(FigureTest, ASinglePointStandsInTheMiddle) {
  const std::string svg =
      RenderSvg(MakeFigure({MakePlotted(Plotted::Kind::kPoints, "", {{1000, 2}})}));
  EXPECT_THAT(svg, HasSubstr(">2.0<"));
  EXPECT_THAT(svg, HasSubstr(">1k<"));
  EXPECT_EQ(Count(svg, "<circle"), 1);
}

TEST(FigureTest, PointsOutsideAGivenRangeAreNotDrawn) {
  Figure figure = MakeFigure({MakePlotted(Plotted::Kind::kPoints, "", {{1, 1}, {10, 2}, {20, 9}})});
  figure.panels[0].y.high = 3;
  EXPECT_EQ(Count(RenderSvg(figure), "<circle"), 2);
}

TEST(FigureTest, BandsAndBarsReachFromLowToHigh) {
  Plotted band = MakePlotted(Plotted::Kind::kBand, "", {{1, 1}, {10, 2}});
  band.upper = {{1, 3}, {10, 4}};
  Plotted bar = MakePlotted(Plotted::Kind::kBars, "", {{5, 1}, {6, kNan}});
  bar.upper = {{5, 4}, {6, 4}};
  const std::string svg = RenderSvg(MakeFigure({band, bar}));
  EXPECT_EQ(Count(svg, "<polygon"), 1);
  const std::size_t at = svg.find("<polygon points=\"") + 17;
  EXPECT_EQ(Count(svg.substr(at, svg.find('"', at) - at), ","), 4);
  EXPECT_EQ(Count(svg, "<path"), 1);  // the other has no lower end
}

}  // namespace
}  // namespace etude
