#include "client/plot_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "lib/scaling/fit_predict.h"
#include "lib/scaling/fit_runs.h"

namespace etude {
namespace {

constexpr char kLossAxis[] = "validation loss (nats/token)";
constexpr char kHeldOut[] = "held out";
constexpr int kCurvePoints = 24;  // of a stretch of a law's curve

double SizeOf(const RunProgress& progress) {
  return CountN(progress.run.config, NConvention::kCompute);
}
double TokensOf(const RunProgress& progress) {
  return static_cast<double>(progress.run.config.tokens());
}

// A finished run as the pictures of final losses see it.
struct Measured {
  RunKey run;
  double n = 0;
  double d = 0;
  double loss = 0;
  bool held_out = false;
};

std::vector<Measured> MeasuredOf(const FamilyPlot& family) {
  std::vector<Measured> measured;
  for (const RunProgress& progress : family.runs) {
    if (!progress.run.result || !std::isfinite(progress.run.result->val_loss)) continue;
    measured.push_back({progress.run.key, SizeOf(progress), TokensOf(progress),
                        progress.run.result->val_loss, progress.held_out});
  }
  return measured;
}

// Distinct values of a count, ascending, each the least of its level.
class Levels {
 public:
  explicit Levels(std::vector<double> values) {
    std::ranges::sort(values);
    for (const double value : values) {
      if (values_.empty() || value > values_.back() * (1 + kSameLevel)) values_.push_back(value);
    }
  }
  int count() const { return static_cast<int>(values_.size()); }
  double at(int level) const { return values_[static_cast<std::size_t>(level)]; }
  // The level of one of the values.
  int Of(double value) const {
    return static_cast<int>(std::ranges::upper_bound(values_, value) - values_.begin()) - 1;
  }

 private:
  std::vector<double> values_;
};

Levels LevelsOf(std::span<const FamilyPlot> families, double (*count)(const RunProgress&)) {
  std::vector<double> values;
  for (const FamilyPlot& family : families) {
    for (const RunProgress& progress : family.runs) values.push_back(count(progress));
  }
  return Levels(std::move(values));
}
Levels TokenLevels(std::span<const FamilyPlot> families) { return LevelsOf(families, TokensOf); }
Levels SizeLevels(const FamilyPlot& family) { return LevelsOf({&family, 1}, SizeOf); }

// What runs along x, and what tells the colours apart.
struct View {
  const char* axis;
  double Measured::*x;
  const char* letter;  // of the count that has colours
  double Measured::*level;
};
constexpr char kSizeAxis[] = "N, parameters (compute)";
constexpr char kTokensAxis[] = "D, tokens trained on";
constexpr View kSizeByTokens = {kSizeAxis, &Measured::n, "D", &Measured::d};
constexpr View kTokensBySize = {kTokensAxis, &Measured::d, "N", &Measured::n};
constexpr View kTokensByTokens = {kTokensAxis, &Measured::d, "D", &Measured::d};

// To three digits; not of 0.
double Rounded(double value) {
  const double unit = std::pow(10, std::floor(std::log10(std::abs(value))) - 2);
  return std::round(value / unit) * unit;
}

// "D = 300k": rounded, since whole steps make D 300032.
std::string LevelLabel(const char* letter, double value) {
  return fmt::format("{} = {}", letter, TickText(Rounded(value)));
}

std::string ThreeDigits(double value) {
  const double size = std::abs(value);
  if (std::isinf(value)) return value > 0 ? "\u221E" : "\u2212\u221E";
  if (!(size >= 1e-3 && size < 1e5)) return TickText(value);  // 0, NaN and what takes exponents
  const int decimals = 2 - static_cast<int>(std::floor(std::log10(size)));
  if (decimals >= 0) return fmt::format("{:.{}f}", value, decimals);
  return fmt::format("{:.0f}", Rounded(value));
}

void Replace(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// With the parameters' letters, and no line that starts with a per cent sign.
std::string NoteText(std::string text) {
  Replace(text, "alpha", "α");
  Replace(text, "beta", "β");
  Replace(text, " %", "\u00A0%");
  return text;
}

std::string FamilyTitle(Family family) { return family == Family::kLstm ? "LSTM" : "Transformer"; }

Panel MakePanel(std::string title, const char* x, const char* y) {
  Panel panel;
  panel.title = std::move(title);
  panel.x.label = x;
  panel.x.scale = Scale::kLog;
  panel.y.label = y;
  panel.y.scale = Scale::kLog;
  return panel;
}

// An entry of the legend that explains a form and not a level.
Plotted Entry(Plotted::Kind kind, std::string label) {
  Plotted entry;
  entry.kind = kind;
  entry.label = std::move(label);
  entry.color = kNeutralColor;
  return entry;
}
void AddHeldOutEntry(Panel& panel) {
  Plotted entry = Entry(Plotted::Kind::kPoints, kHeldOut);
  entry.hollow = true;
  panel.plotted.push_back(std::move(entry));
}

Plotted OfLevel(Plotted::Kind kind, int level) {
  Plotted plotted;
  plotted.kind = kind;
  plotted.color = level;
  plotted.marker = level;
  return plotted;
}

void NoteMissing(Panel& panel, std::size_t missing, std::size_t all, const char* what) {
  if (missing == 0) return;
  panel.notes.push_back(fmt::format("no {}: {} of {} runs", what, missing, all));
}

// A point for each run that `height` gives a number, in the colours of the levels.
void AddPoints(Panel& panel, std::span<const Measured> measured, const Levels& levels,
               const View& view, const std::function<double(const Measured&)>& height) {
  bool any_held_out = false;
  for (int level = 0; level < levels.count(); ++level) {
    Plotted fitted = OfLevel(Plotted::Kind::kPoints, level);
    Plotted held_out = fitted;
    held_out.hollow = true;
    for (const Measured& run : measured) {
      const XY point = {run.*view.x, height(run)};
      if (levels.Of(run.*view.level) != level || !std::isfinite(point.y)) continue;
      (run.held_out ? held_out : fitted).points.push_back(point);
    }
    any_held_out = any_held_out || !held_out.points.empty();
    Plotted& named = fitted.points.empty() ? held_out : fitted;
    if (!named.points.empty()) named.label = LevelLabel(view.letter, levels.at(level));
    for (Plotted* plotted : {&fitted, &held_out}) {
      if (!plotted->points.empty()) panel.plotted.push_back(std::move(*plotted));
    }
  }
  if (any_held_out) AddHeldOutEntry(panel);
}

void AddSeedMeans(Panel& panel, std::span<const Measured> measured, const Levels& levels,
                  const View& view) {
  bool any = false;
  for (int level = 0; level < levels.count(); ++level) {
    std::map<double, std::vector<double>> losses;  // by x
    for (const Measured& run : measured) {
      const bool here = !run.held_out && levels.Of(run.*view.level) == level;
      if (here) losses[run.*view.x].push_back(run.loss);
    }
    if (losses.size() < 2) continue;
    any = true;
    Plotted line = OfLevel(Plotted::Kind::kLine, level);
    for (const auto& [x, seeds] : losses) {
      const double sum = std::accumulate(seeds.begin(), seeds.end(), 0.0);
      line.points.push_back({x, sum / static_cast<double>(seeds.size())});
    }
    panel.plotted.push_back(std::move(line));
  }
  if (any) panel.plotted.push_back(Entry(Plotted::Kind::kLine, "mean over seeds"));
}

Panel LossPanel(const FamilyPlot& family, const Levels& levels, const View& view) {
  Panel panel = MakePanel(FamilyTitle(family.family), view.axis, kLossAxis);
  const std::vector<Measured> measured = MeasuredOf(family);
  AddPoints(panel, measured, levels, view, &Measured::loss);
  AddSeedMeans(panel, measured, levels, view);
  NoteMissing(panel, family.runs.size() - measured.size(), family.runs.size(), "final loss");
  return panel;
}

// The probes of one run.
struct Curve {
  int size = 0;  // the place of its N among the family's
  bool further_seed = false;
  bool held_out = false;
  std::vector<XY> points;
};

std::vector<XY> ProbesOf(const RunProgress& progress, const CurvesByRun& probes) {
  std::vector<XY> points;
  const auto found = probes.find(progress.run.key);
  if (found == probes.end()) return points;
  const RunConfig& config = progress.run.config;
  for (const LossPoint& point : found->second) {
    if (point.series != Series::kValProbe) continue;
    points.push_back(
        {static_cast<double>(point.step * config.batch * config.model.context), point.value});
  }
  return points;
}

// Those of the runs that have a probe.
std::vector<Curve> CurvesOf(const FamilyPlot& family, const Levels& sizes,
                            const CurvesByRun& probes) {
  const auto seed_of = [](const RunProgress& progress) { return progress.run.config.seed; };
  const auto first = std::ranges::min_element(family.runs, {}, seed_of);
  std::vector<Curve> curves;
  for (const RunProgress& progress : family.runs) {
    std::vector<XY> points = ProbesOf(progress, probes);
    if (points.empty()) continue;
    curves.push_back({sizes.Of(SizeOf(progress)), seed_of(progress) != seed_of(*first),
                      progress.held_out, std::move(points)});
  }
  return curves;
}

void AddSizeEntries(Panel& panel, std::span<const Curve> curves, const Levels& sizes) {
  for (int size = 0; size < sizes.count(); ++size) {
    if (std::ranges::find(curves, size, &Curve::size) == curves.end()) continue;
    Plotted entry = OfLevel(Plotted::Kind::kLine, size);
    entry.label = LevelLabel("N", sizes.at(size));
    panel.plotted.push_back(std::move(entry));
  }
}

Panel CurvesPanel(const FamilyPlot& family, const CurvesByRun& probes) {
  Panel panel =
      MakePanel(FamilyTitle(family.family), "tokens trained on", "validation probe (nats/token)");
  const Levels sizes = SizeLevels(family);
  const std::vector<Curve> curves = CurvesOf(family, sizes, probes);
  AddSizeEntries(panel, curves, sizes);
  for (const Curve& curve : curves) {
    Plotted line = OfLevel(Plotted::Kind::kLine, curve.size);
    line.points = curve.points;
    line.dashed = curve.further_seed;
    panel.plotted.push_back(std::move(line));
    if (!curve.held_out) continue;
    Plotted end = OfLevel(Plotted::Kind::kPoints, curve.size);
    end.marker = 0;  // as in the legend; here colour alone tells sizes apart
    end.points = {curve.points.back()};
    end.hollow = true;
    panel.plotted.push_back(std::move(end));
  }
  if (std::ranges::any_of(curves, &Curve::further_seed)) {
    panel.plotted.push_back(Entry(Plotted::Kind::kLine, "further seeds"));
    panel.plotted.back().dashed = true;
  }
  if (std::ranges::any_of(curves, &Curve::held_out)) AddHeldOutEntry(panel);
  NoteMissing(panel, family.runs.size() - curves.size(), family.runs.size(), "probe");
  return panel;
}

// "alpha = 0.502 (0.370 to 0.625)", which no line break takes apart.
std::string EstimateText(const ParameterEstimate& parameter) {
  const Estimate& estimate = parameter.estimate;
  std::string text =
      fmt::format("{} = {}", ParameterName(parameter.parameter), ThreeDigits(estimate.value));
  text += estimate.status == Identification::kFixed
              ? " (fixed)"
              : fmt::format(" ({} to {})", ThreeDigits(estimate.ci95.low),
                            ThreeDigits(estimate.ci95.high));
  Replace(text, " ", "\u00A0");
  return text;
}

// The formula, its numbers with their intervals, and the verdict.
void NoteFit(Panel& panel, const std::optional<Fit>& fit) {
  if (!fit) {
    panel.notes.push_back("no fit: none of the runs that enter it has finished");
    return;
  }
  const auto note = [&](std::string text) { panel.notes.push_back(NoteText(std::move(text))); };
  const std::string delta = fit->delta ? fmt::format(" (δ = {})", TickText(*fit->delta)) : "";
  note(fmt::format("{}; {} runs, {}{}", LawFormula(fit->law), fit->n_points,
                   ObjectiveName(fit->objective), delta));
  std::string numbers;
  for (const ParameterEstimate& parameter : fit->params) {
    numbers += (numbers.empty() ? "" : ", ") + EstimateText(parameter);
  }
  const char* method = fit->bootstrap_reported ? "bootstrap" : "profile";
  if (!fit->refused()) note(fmt::format("{}; 95 % intervals by {}", numbers, method));
  const std::string reason = fit->reasons.empty() ? "" : "; " + fit->reasons.front();
  note(fmt::format("verdict: {}{}", IdentificationName(fit->verdict), reason));
}

// kCurvePoints values, both ends among them.
std::vector<double> LogSpaced(double low, double high) {
  std::vector<double> values(kCurvePoints);
  for (int i = 0; i < kCurvePoints; ++i) {
    values[static_cast<std::size_t>(i)] = low * std::pow(high / low, i / (kCurvePoints - 1.0));
  }
  return values;
}

// What the fit predicts at `d`: the law, and as `low` and `high` a new run's 95 % interval.
struct LawAlongN {
  std::vector<XY> law;
  std::vector<XY> low;
  std::vector<XY> high;
};
LawAlongN PredictAlong(const Fit& fit, std::span<const double> sizes, double d) {
  LawAlongN along;
  for (const double n : sizes) {
    const absl::StatusOr<Prediction> prediction = PredictLoss(fit, n, d);
    if (!prediction.ok()) continue;  // a power law of another D
    along.law.push_back({n, prediction->loss});
    along.low.push_back({n, prediction->ci95.low});
    along.high.push_back({n, prediction->ci95.high});
  }
  return along;
}

bool Extrapolates(const Fit& fit, double n, double d) {
  const absl::StatusOr<Prediction> prediction = PredictLoss(fit, n, d);
  return prediction.ok() && prediction->extrapolates;
}

// From the smallest size of the panel to the largest, dashed beyond those that were fitted.
void AddLaw(Panel& panel, const Fit& fit, const Levels& sizes, double d, int level) {
  std::vector<double> ends = {sizes.at(0), fit.range.n_min, fit.range.n_max,
                              sizes.at(sizes.count() - 1)};
  std::ranges::sort(ends);
  Plotted band = OfLevel(Plotted::Kind::kBand, level);
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    if (!(ends[i] < ends[i + 1])) continue;
    const LawAlongN along = PredictAlong(fit, LogSpaced(ends[i], ends[i + 1]), d);
    Plotted line = OfLevel(Plotted::Kind::kLine, level);
    line.points = along.law;
    line.dashed = Extrapolates(fit, std::sqrt(ends[i] * ends[i + 1]), d);
    if (!line.points.empty()) panel.plotted.push_back(std::move(line));
    band.points.insert(band.points.end(), along.low.begin(), along.low.end());
    band.upper.insert(band.upper.end(), along.high.begin(), along.high.end());
  }
  if (!band.points.empty()) panel.plotted.push_back(std::move(band));
}

void AddLaws(Panel& panel, const FamilyPlot& family, const Levels& tokens) {
  if (!family.fit || family.fit->refused()) return;
  const Levels sizes = SizeLevels(family);
  const Levels here = TokenLevels({&family, 1});
  for (int level = 0; level < here.count(); ++level) {
    AddLaw(panel, *family.fit, sizes, here.at(level), tokens.Of(here.at(level)));
  }
  panel.plotted.push_back(Entry(Plotted::Kind::kLine, "law"));
  panel.plotted.push_back(Entry(Plotted::Kind::kBand, "95 % predictive"));
  const bool beyond = std::ranges::any_of(panel.plotted, &Plotted::dashed);
  if (!beyond) return;
  panel.plotted.push_back(Entry(Plotted::Kind::kLine, "extrapolated"));
  panel.plotted.back().dashed = true;
}

void AddFrozen(Panel& panel, const FamilyPlot& family, const Levels& tokens) {
  for (const FrozenPrediction& frozen : family.predictions) {
    Plotted bar = OfLevel(Plotted::Kind::kBars, tokens.Of(frozen.d));
    bar.points = {{frozen.n, frozen.prediction.ci95.low}};
    bar.upper = {{frozen.n, frozen.prediction.ci95.high}};
    panel.plotted.push_back(std::move(bar));
  }
  if (!family.predictions.empty()) {
    panel.plotted.push_back(Entry(Plotted::Kind::kBars, "frozen 95 %"));
  }
}

Panel FitPanel(const FamilyPlot& family, const Levels& tokens) {
  Panel panel = MakePanel(FamilyTitle(family.family), kSizeAxis, kLossAxis);
  const std::vector<Measured> measured = MeasuredOf(family);
  AddPoints(panel, measured, tokens, kSizeByTokens, &Measured::loss);
  AddLaws(panel, family, tokens);
  AddFrozen(panel, family, tokens);
  NoteFit(panel, family.fit);
  NoteMissing(panel, family.runs.size() - measured.size(), family.runs.size(), "final loss");
  return panel;
}

// NaN: nothing predicts this run.
double PredictedOf(const FamilyPlot& family, const Measured& run) {
  const auto frozen = std::ranges::find(family.predictions, run.run, &FrozenPrediction::run);
  if (run.held_out && frozen != family.predictions.end()) return frozen->prediction.loss;
  const double none = std::numeric_limits<double>::quiet_NaN();
  if (!family.fit) return none;
  const absl::StatusOr<Prediction> prediction = PredictLoss(*family.fit, run.n, run.d);
  return prediction.ok() ? prediction->loss : none;
}

// Two residual sigmas on either side of 0, over the whole width.
void AddSpread(Panel& panel, const Fit& fit) {
  if (fit.refused() || fit.objective == Objective::kL2Raw) return;  // l2-raw's is not relative
  const double reach = 200 * fit.residual_sigma;
  Plotted band = Entry(Plotted::Kind::kBand, "\u00B12\u03C3 of the fit");
  band.points = {{*panel.x.low, -reach}, {*panel.x.high, -reach}};
  band.upper = {{*panel.x.low, reach}, {*panel.x.high, reach}};
  panel.plotted.push_back(std::move(band));
}

// As far below 0 as above.
void CentreOnZero(Panel& panel) {
  double reach = 0;
  for (const Plotted& plotted : panel.plotted) {
    for (const XY& point : plotted.points) reach = std::max(reach, 1.1 * std::abs(point.y));
  }
  if (reach == 0) return;
  panel.y.low = -reach;
  panel.y.high = reach;
}

Panel ResidualPanel(const FamilyPlot& family, const Levels& tokens, const View& view) {
  const bool by_size = view.x == &Measured::n;
  Panel panel = MakePanel(FamilyTitle(family.family) + (by_size ? ", against N" : ", against D"),
                          view.axis, "100 ln(measured / predicted)");
  constexpr double kRoom = 1.2;  // beside the outermost runs
  const Levels along = by_size ? SizeLevels(family) : TokenLevels({&family, 1});
  panel.x.low = along.at(0) / kRoom;
  panel.x.high = along.at(along.count() - 1) * kRoom;
  panel.y.scale = Scale::kLinear;
  panel.guide_y = 0;
  const std::vector<Measured> measured = MeasuredOf(family);
  AddPoints(panel, measured, tokens, view, [&](const Measured& run) {
    return 100 * std::log(run.loss / PredictedOf(family, run));
  });
  if (family.fit) AddSpread(panel, *family.fit);
  CentreOnZero(panel);
  if (!family.fit || family.fit->refused()) NoteFit(panel, family.fit);
  NoteMissing(panel, family.runs.size() - measured.size(), family.runs.size(), "final loss");
  return panel;
}

// The sweep's name comes last, where a long one is cut.
Figure MakeFigure(const char* what, const std::string& sweep) {
  Figure figure;
  figure.title = fmt::format("{}, sweep {}", what, sweep);
  figure.same_x = true;
  figure.same_y = true;
  return figure;
}

}  // namespace

std::vector<FamilyPlot> FamiliesOf(std::span<const RunProgress> runs) {
  std::vector<FamilyPlot> families;
  for (const Family family : {Family::kTransformer, Family::kLstm}) {
    FamilyPlot plot;
    plot.family = family;
    std::ranges::copy_if(runs, std::back_inserter(plot.runs), [&](const RunProgress& progress) {
      return progress.run.config.model.family == family;
    });
    if (!plot.runs.empty()) families.push_back(std::move(plot));
  }
  return families;
}

Figure CurvesFigure(const std::string& sweep, std::span<const FamilyPlot> families,
                    const CurvesByRun& probes) {
  Figure figure = MakeFigure("Learning curves", sweep);
  for (const FamilyPlot& family : families) figure.panels.push_back(CurvesPanel(family, probes));
  return figure;
}

Figure LossBySizeFigure(const std::string& sweep, std::span<const FamilyPlot> families) {
  Figure figure = MakeFigure("Final loss against N", sweep);
  const Levels tokens = TokenLevels(families);
  for (const FamilyPlot& family : families) {
    figure.panels.push_back(LossPanel(family, tokens, kSizeByTokens));
  }
  return figure;
}

Figure LossByTokensFigure(const std::string& sweep, std::span<const FamilyPlot> families) {
  Figure figure = MakeFigure("Final loss against D", sweep);
  for (const FamilyPlot& family : families) {
    figure.panels.push_back(LossPanel(family, SizeLevels(family), kTokensBySize));
  }
  return figure;
}

Figure FitFigure(const std::string& sweep, std::span<const FamilyPlot> families) {
  Figure figure = MakeFigure("Fitted laws", sweep);
  const Levels tokens = TokenLevels(families);
  for (const FamilyPlot& family : families) figure.panels.push_back(FitPanel(family, tokens));
  return figure;
}

Figure ResidualsFigure(const std::string& sweep, std::span<const FamilyPlot> families) {
  Figure figure = MakeFigure("Residuals of the fitted laws", sweep);
  figure.same_x = false;  // N and D
  figure.same_y = false;  // each centred on its own 0
  const Levels tokens = TokenLevels(families);
  for (const FamilyPlot& family : families) {
    for (const View& view : {kSizeByTokens, kTokensByTokens}) {
      figure.panels.push_back(ResidualPanel(family, tokens, view));
    }
  }
  return figure;
}

}  // namespace etude
