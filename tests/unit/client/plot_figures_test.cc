#include "client/plot_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "lib/scaling/fit_predict.h"
#include "lib/scaling/fit_runs.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

using Kind = Plotted::Kind;

struct RunSpec {
  Family family = Family::kTransformer;
  int width = 16;
  std::int64_t steps = 100;
  std::uint64_t seed = 1;
  bool held_out = false;
  double loss = 2;  // NaN: not finished
};

RunProgress MakeSized(const RunSpec& spec) {
  RunProgress progress = MakeRun(std::isnan(spec.loss) ? RunState::kRunning : RunState::kSucceeded);
  RunConfig& config = progress.run.config;
  config.model.family = spec.family;
  config.model.heads = spec.family == Family::kLstm ? 0 : 2;
  config.model.width = spec.width;
  config.steps = spec.steps;
  config.seed = spec.seed;
  progress.run.key = KeyOf(config);
  progress.held_out = spec.held_out;
  if (progress.run.result) progress.run.result->val_loss = spec.loss;
  return progress;
}

std::vector<FamilyPlot> MakeFamilies(const std::vector<RunSpec>& specs) {
  std::vector<RunProgress> runs;
  runs.reserve(specs.size());
  for (const RunSpec& spec : specs) runs.push_back(MakeSized(spec));
  return FamiliesOf(runs);
}

double SizeAt(int width) {
  return CountN(MakeSized({.width = width}).run.config, NConvention::kCompute);
}
double TokensAt(std::int64_t steps) {
  return static_cast<double>(MakeSized({.steps = steps}).run.config.tokens());
}

// An identified law, fitted on widths 16 to 64 and 100 to 1000 steps.
Fit MakeFit() {
  Fit fit;
  fit.delta = 1e-3;
  fit.parameters = {0.9, 45, 95, 0.5, 0.45};
  for (const Parameter parameter : ParametersOf(fit.law)) {
    const double value = fit.parameters[IndexOf(parameter)];
    Estimate estimate;
    estimate.value = value;
    estimate.ci95 = {value * 0.8, value * 1.25};
    fit.params.push_back({parameter, estimate});
  }
  fit.n_points = 12;
  fit.freedom = 7;
  fit.residual_sigma = 0.013;
  fit.range = {SizeAt(16), SizeAt(64), TokensAt(100), TokensAt(1000)};
  fit.verdict = Identification::kIdentified;
  return fit;
}

Fit MakeRefusedFit() {
  Fit fit = MakeFit();
  fit.verdict = Identification::kNotIdentified;
  fit.reasons = {"D never varies, so beta cannot be told", "a second reason"};
  return fit;
}

// A size and D that the fit saw, and a held-out one beyond.
std::vector<FamilyPlot> FittedFamilies(const Fit& fit) {
  std::vector<FamilyPlot> families =
      MakeFamilies({{.width = 16, .loss = 1.9},
                    {.width = 64, .steps = 1000, .loss = 1.3},
                    {.width = 128, .steps = 1000, .held_out = true, .loss = 1.2}});
  families[0].fit = fit;
  return families;
}

// Of one kind and with points: what the legend alone holds is left out.
std::vector<Plotted> Drawn(const Panel& panel, Kind kind) {
  std::vector<Plotted> drawn;
  for (const Plotted& plotted : panel.plotted) {
    if (plotted.kind == kind && !plotted.points.empty()) drawn.push_back(plotted);
  }
  return drawn;
}

std::vector<std::string> Labels(const Panel& panel) {
  std::vector<std::string> labels;
  for (const Plotted& plotted : panel.plotted) {
    if (!plotted.label.empty()) labels.push_back(plotted.label);
  }
  return labels;
}

std::string Notes(const Panel& panel) {
  std::string notes;
  for (const std::string& note : panel.notes) notes += note + "\n";
  return notes;
}

// Of the points of a panel at loss `y`.
Plotted LookOf(const Panel& panel, double y) {
  for (const Plotted& plotted : Drawn(panel, Kind::kPoints)) {
    for (const XY& point : plotted.points) {
      if (point.y == y) return plotted;
    }
  }
  ADD_FAILURE() << "no point at " << y;
  return {};
}

TEST(FamiliesTest, EachFamilyHasItsRuns) {
  const auto families = MakeFamilies({{.family = Family::kLstm}, {.width = 16}, {.width = 32}});
  ASSERT_THAT(families, SizeIs(2));
  EXPECT_EQ(families[0].family, Family::kTransformer);
  EXPECT_THAT(families[0].runs, SizeIs(2));
  EXPECT_EQ(families[1].family, Family::kLstm);
  EXPECT_THAT(families[1].runs, SizeIs(1));
  EXPECT_THAT(MakeFamilies({{.family = Family::kLstm}}), SizeIs(1));
}

CurvesByRun ProbesOfAll(const std::vector<FamilyPlot>& families) {
  CurvesByRun probes;
  for (const RunProgress& progress : families[0].runs) {
    probes[progress.run.key] = {{Series::kTrain, 1, 4.5},
                                {Series::kValProbe, 10, 4},
                                {Series::kValProbe, progress.run.config.steps, 2}};
  }
  return probes;
}

TEST(CurvesFigureTest, ProbesStandAtTheTokensTrainedOn) {
  const auto families = MakeFamilies({{}});
  const Figure figure = CurvesFigure("s", families, ProbesOfAll(families));
  const auto lines = Drawn(figure.panels.at(0), Kind::kLine);
  ASSERT_THAT(lines, SizeIs(1));
  ASSERT_THAT(lines[0].points, SizeIs(2));  // not the training loss
  EXPECT_EQ(lines[0].points[0].x, 10 * 8 * 64);
  EXPECT_EQ(lines[0].points[1].x, TokensAt(100));
  EXPECT_EQ(lines[0].points[1].y, 2);
}

TEST(CurvesFigureTest, FurtherSeedsAreDashedInTheColourOfTheirSize) {
  const auto families = MakeFamilies({{.width = 16}, {.width = 16, .seed = 2}, {.width = 32}});
  const Figure figure = CurvesFigure("s", families, ProbesOfAll(families));
  const auto lines = Drawn(figure.panels.at(0), Kind::kLine);
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_FALSE(lines[0].dashed);
  EXPECT_TRUE(lines[1].dashed);
  EXPECT_EQ(lines[0].color, lines[1].color);
  EXPECT_NE(lines[0].color, lines[2].color);
  EXPECT_THAT(Labels(figure.panels[0]), ElementsAre("N = 6.9k", "N = 26.1k", "further seeds"));
}

TEST(CurvesFigureTest, OnlyHeldOutCurvesEndInAHollowMark) {
  const auto families = MakeFamilies({{.width = 16}, {.width = 32, .held_out = true}});
  const Figure figure = CurvesFigure("s", families, ProbesOfAll(families));
  const auto marks = Drawn(figure.panels.at(0), Kind::kPoints);
  ASSERT_THAT(marks, SizeIs(1));
  EXPECT_TRUE(marks[0].hollow);
  EXPECT_EQ(marks[0].color, Drawn(figure.panels[0], Kind::kLine)[1].color);
  EXPECT_EQ(marks[0].points.at(0).x, TokensAt(100));
  EXPECT_THAT(Labels(figure.panels[0]), Contains("held out"));
}

TEST(CurvesFigureTest, RunsWithoutProbesAreCounted) {
  const Figure figure = CurvesFigure("s", MakeFamilies({{}, {.width = 32}}), {});
  EXPECT_THAT(figure.panels.at(0).plotted, IsEmpty());
  EXPECT_THAT(figure.panels[0].notes, ElementsAre("no probe: 2 of 2 runs"));
}

TEST(LossFigureTest, ADHasOneLookInEveryPanelAndPicture) {
  auto families = MakeFamilies({{.steps = 100, .loss = 2},
                                {.steps = 300, .loss = 1.5},
                                {.family = Family::kLstm, .steps = 300, .loss = 1.6}});
  const Figure losses = LossBySizeFigure("s", families);
  const Figure fits = FitFigure("s", families);
  const Plotted look = LookOf(losses.panels.at(0), 1.5);
  EXPECT_NE(look.color, LookOf(losses.panels[0], 2).color);
  EXPECT_NE(look.marker, LookOf(losses.panels[0], 2).marker);
  for (const Plotted& other : {LookOf(losses.panels.at(1), 1.6), LookOf(fits.panels.at(0), 1.5),
                               LookOf(fits.panels.at(1), 1.6)}) {
    EXPECT_EQ(other.color, look.color);
    EXPECT_EQ(other.marker, look.marker);
    EXPECT_EQ(other.label, "D = 154k");
  }
}

TEST(LossFigureTest, LinesJoinTheMeansOverSeeds) {
  const Figure figure =
      LossBySizeFigure("s", MakeFamilies({{.width = 16, .loss = 2.0},
                                          {.width = 16, .seed = 2, .loss = 2.2},
                                          {.width = 32, .loss = 1.5},
                                          {.width = 64, .held_out = true, .loss = 1}}));
  const auto lines = Drawn(figure.panels.at(0), Kind::kLine);
  ASSERT_THAT(lines, SizeIs(1));
  ASSERT_THAT(lines[0].points, SizeIs(2));  // the held-out one is no part of it
  EXPECT_EQ(lines[0].points[0].x, SizeAt(16));
  EXPECT_DOUBLE_EQ(lines[0].points[0].y, 2.1);
  EXPECT_EQ(lines[0].points[1].x, SizeAt(32));
  EXPECT_EQ(lines[0].color, LookOf(figure.panels[0], 2.2).color);
}

TEST(LossFigureTest, HeldOutRunsAreHollow) {
  const auto families = MakeFamilies({{.loss = 2}, {.width = 32, .held_out = true, .loss = 1.5}});
  for (const Figure& figure :
       {LossBySizeFigure("s", families), LossByTokensFigure("s", families)}) {
    EXPECT_FALSE(LookOf(figure.panels.at(0), 2).hollow);
    EXPECT_TRUE(LookOf(figure.panels[0], 1.5).hollow);
    EXPECT_THAT(Labels(figure.panels[0]), Contains("held out"));
  }
}

TEST(LossFigureTest, AgainstTokensEachSizeHasALabelAndALine) {
  const Figure figure =
      LossByTokensFigure("s", MakeFamilies({{.width = 16, .steps = 100, .loss = 2},
                                            {.width = 16, .steps = 300},
                                            {.width = 32, .steps = 100},
                                            {.width = 32, .steps = 300}}));
  EXPECT_THAT(Labels(figure.panels.at(0)), ElementsAre("N = 6.9k", "N = 26.1k", "mean over seeds"));
  const auto lines = Drawn(figure.panels[0], Kind::kLine);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].points.at(1).x, TokensAt(300));
  EXPECT_THAT(figure.panels[0].x.label, HasSubstr("tokens"));
}

TEST(LossFigureTest, RunsWithoutALossAreCountedAndLeftOut) {
  auto families = MakeFamilies({{.loss = 2},
                                {.width = 32, .loss = std::numeric_limits<double>::quiet_NaN()},
                                {.width = 64, .loss = std::numeric_limits<double>::infinity()}});
  const Panel panel = LossBySizeFigure("s", families).panels.at(0);
  ASSERT_THAT(Drawn(panel, Kind::kPoints), SizeIs(1));
  EXPECT_THAT(Drawn(panel, Kind::kPoints)[0].points, SizeIs(1));
  EXPECT_THAT(panel.notes, ElementsAre("no final loss: 2 of 3 runs"));
}

TEST(LossFigureTest, AxesAreLogarithmicAndSayTheirUnits) {
  const Panel panel = LossBySizeFigure("s", MakeFamilies({{}})).panels.at(0);
  EXPECT_EQ(panel.x.scale, Scale::kLog);
  EXPECT_EQ(panel.y.scale, Scale::kLog);
  EXPECT_EQ(panel.x.label, "N, parameters (compute)");
  EXPECT_EQ(panel.y.label, "validation loss (nats/token)");
}

TEST(FitFigureTest, EachDHasTheLawsCurveInItsColour) {
  const Panel panel = FitFigure("s", FittedFamilies(MakeFit())).panels.at(0);
  const auto lines = Drawn(panel, Kind::kLine);
  ASSERT_THAT(lines, SizeIs(4));  // fitted and extrapolated, for two D
  for (const Plotted& line : lines) {
    const double d = line.color == LookOf(panel, 1.9).color ? TokensAt(100) : TokensAt(1000);
    for (const XY& point : line.points) {
      EXPECT_NEAR(point.y, LawLoss(MakeFit().parameters, point.x, d), 1e-9);
    }
  }
  EXPECT_EQ(lines[2].color, LookOf(panel, 1.3).color);
}

TEST(FitFigureTest, ItIsDashedExactlyWhereItExtrapolates) {
  const Panel panel = FitFigure("s", FittedFamilies(MakeFit())).panels.at(0);
  for (const Plotted& line : Drawn(panel, Kind::kLine)) {
    const double middle = line.points.at(line.points.size() / 2).x;
    EXPECT_EQ(line.dashed, middle > SizeAt(64)) << middle;
  }
  EXPECT_THAT(Labels(panel), Contains("extrapolated"));
}

TEST(FitFigureTest, TheBandIsThePredictiveInterval) {
  const Fit fit = MakeFit();
  const Panel panel = FitFigure("s", FittedFamilies(fit)).panels.at(0);
  const auto bands = Drawn(panel, Kind::kBand);
  ASSERT_THAT(bands, SizeIs(2));
  ASSERT_EQ(bands[0].points.size(), bands[0].upper.size());
  EXPECT_EQ(bands[0].points.front().x, SizeAt(16));
  EXPECT_NEAR(bands[0].points.back().x, SizeAt(128), 1e-6);
  const auto prediction = PredictLoss(fit, bands[0].points[30].x, TokensAt(100));
  ASSERT_TRUE(prediction.ok());
  EXPECT_EQ(bands[0].points[30].y, prediction->ci95.low);
  EXPECT_EQ(bands[0].upper[30].y, prediction->ci95.high);
}

TEST(FitFigureTest, FrozenIntervalsAreBarsBesideHollowPoints) {
  auto families = FittedFamilies(MakeFit());
  FrozenPrediction frozen;
  frozen.run = families[0].runs[2].run.key;
  frozen.n = SizeAt(128);
  frozen.d = TokensAt(1000);
  frozen.prediction.ci95 = {1.1, 1.25};
  families[0].predictions = {frozen};
  const Panel panel = FitFigure("s", families).panels.at(0);
  const auto bars = Drawn(panel, Kind::kBars);
  ASSERT_THAT(bars, SizeIs(1));
  EXPECT_EQ(bars[0].points.at(0).x, LookOf(panel, 1.2).points.at(0).x);
  EXPECT_EQ(bars[0].points[0].y, 1.1);
  EXPECT_EQ(bars[0].upper.at(0).y, 1.25);
  EXPECT_EQ(bars[0].color, LookOf(panel, 1.2).color);
  EXPECT_TRUE(LookOf(panel, 1.2).hollow);
}

TEST(FitFigureTest, NotesSayFormulaNumbersAndVerdict) {
  const std::string notes = Notes(FitFigure("s", FittedFamilies(MakeFit())).panels.at(0));
  EXPECT_THAT(notes, HasSubstr("L = E + A/N^α + B/D^β; 12 runs, huber (δ = 0.001)"));
  EXPECT_THAT(notes, HasSubstr("A\u00A0=\u00A045.0\u00A0(36.0\u00A0to\u00A056.2)"));
  EXPECT_THAT(notes, HasSubstr("α\u00A0=\u00A00.500\u00A0(0.400\u00A0to\u00A00.625)"));
  EXPECT_THAT(notes, HasSubstr("verdict: identified\n"));
}

TEST(FitFigureTest, UnboundedAndFixedParametersSaySo) {
  Fit fit = MakeFit();
  fit.params[1].estimate.ci95 = {0, std::numeric_limits<double>::infinity()};
  fit.params[3].estimate.status = Identification::kFixed;
  const std::string notes = Notes(FitFigure("s", FittedFamilies(fit)).panels.at(0));
  EXPECT_THAT(notes, HasSubstr("A\u00A0=\u00A045.0\u00A0(0\u00A0to\u00A0∞)"));
  EXPECT_THAT(notes, HasSubstr("α\u00A0=\u00A00.500\u00A0(fixed)"));
}

TEST(FitFigureTest, ARefusedFitIsPointsAndItsFirstReason) {
  const Panel panel = FitFigure("s", FittedFamilies(MakeRefusedFit())).panels.at(0);
  EXPECT_THAT(Drawn(panel, Kind::kLine), IsEmpty());
  EXPECT_THAT(Drawn(panel, Kind::kBand), IsEmpty());
  EXPECT_THAT(Drawn(panel, Kind::kPoints), SizeIs(3));
  EXPECT_THAT(Labels(panel), ElementsAre("D = 51.2k", "D = 512k", "held out"));
  EXPECT_THAT(Notes(panel), HasSubstr("not identified; D never varies, so β cannot be told"));
  EXPECT_THAT(Notes(panel), Not(HasSubstr("second reason")));
}

TEST(FitFigureTest, AFamilyWithoutAFitSaysSo) {
  const Panel panel = FitFigure("s", MakeFamilies({{}})).panels.at(0);
  EXPECT_THAT(Notes(panel), HasSubstr("no fit"));
  EXPECT_THAT(Drawn(panel, Kind::kPoints), SizeIs(1));
}

TEST(ResidualsFigureTest, ResidualsAreLogRatiosInPerCentAgainstNAndD) {
  const Figure figure = ResidualsFigure("s", FittedFamilies(MakeFit()));
  ASSERT_THAT(figure.panels, SizeIs(2));
  const double law = LawLoss(MakeFit().parameters, SizeAt(16), TokensAt(100));
  const auto by_n = Drawn(figure.panels[0], Kind::kPoints);
  const auto by_d = Drawn(figure.panels[1], Kind::kPoints);
  EXPECT_NEAR(by_n.at(0).points.at(0).y, 100 * std::log(1.9 / law), 1e-9);
  EXPECT_EQ(by_n[0].points[0].x, SizeAt(16));
  EXPECT_EQ(by_d.at(0).points.at(0).x, TokensAt(100));
  EXPECT_EQ(by_d[0].points[0].y, by_n[0].points[0].y);
  EXPECT_EQ(by_d[0].color, by_n[0].color);
  EXPECT_EQ(figure.panels[0].guide_y, 0);
}

TEST(ResidualsFigureTest, TheBandIsTwoResidualSigmas) {
  for (const Panel& panel : ResidualsFigure("s", FittedFamilies(MakeFit())).panels) {
    const auto bands = Drawn(panel, Kind::kBand);
    ASSERT_THAT(bands, SizeIs(1));
    EXPECT_DOUBLE_EQ(bands[0].points.at(0).y, -2.6);
    EXPECT_DOUBLE_EQ(bands[0].upper.at(1).y, 2.6);
    EXPECT_EQ(bands[0].points[0].x, panel.x.low);
    EXPECT_EQ(bands[0].upper[1].x, panel.x.high);
    EXPECT_EQ(*panel.y.low, -*panel.y.high);
  }
}

TEST(ResidualsFigureTest, HeldOutRunsAreJudgedByTheirFrozenPrediction) {
  auto families = FittedFamilies(MakeFit());
  FrozenPrediction frozen;
  frozen.run = families[0].runs[2].run.key;
  frozen.prediction.loss = 1.25;
  families[0].predictions = {frozen};
  const auto points = Drawn(ResidualsFigure("s", families).panels.at(0), Kind::kPoints);
  ASSERT_THAT(points, SizeIs(3));
  EXPECT_TRUE(points[2].hollow);
  EXPECT_NEAR(points[2].points.at(0).y, 100 * std::log(1.2 / 1.25), 1e-9);
  EXPECT_FALSE(points[1].hollow);
}

TEST(ResidualsFigureTest, ARefusedFitPredictsNothing) {
  for (const Panel& panel : ResidualsFigure("s", FittedFamilies(MakeRefusedFit())).panels) {
    EXPECT_THAT(panel.plotted, IsEmpty());
    EXPECT_THAT(Notes(panel), HasSubstr("verdict: not identified"));
  }
}

TEST(PlotFiguresTest, TitlesNameTheSweepAndPanelsTheFamily) {
  const auto families = MakeFamilies({{}, {.family = Family::kLstm}});
  for (const Figure& figure : {CurvesFigure("first", families, {}), FitFigure("first", families),
                               LossBySizeFigure("first", families)}) {
    EXPECT_THAT(figure.title, HasSubstr("sweep first"));
    ASSERT_THAT(figure.panels, SizeIs(2));
    EXPECT_EQ(figure.panels[0].title, "Transformer");
    EXPECT_EQ(figure.panels[1].title, "LSTM");
  }
}

}  // namespace
}  // namespace etude
