#include "client/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace etude {
namespace {

// Okabe and Ito 2008, "Color Universal Design", without the yellow that white paper swallows.
constexpr std::array<const char*, 7> kPalette = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                 "#56B4E9", "#E69F00", "#000000"};
constexpr double kPanelWidth = 460;
constexpr double kPlotHeight = 280;
constexpr double kLeft = 66;
constexpr double kRight = 14;
constexpr double kTop = 34;
constexpr double kBottom = 46;
constexpr double kLegendRow = 16;
constexpr double kNoteRow = 14;
constexpr double kFigureTitle = 34;
constexpr double kMarkerRadius = 3.6;
constexpr int kTicksWanted = 6;

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 32 ? ' ' : c;
    }
  }
  return escaped;
}

const char* ColorOf(int index) {
  return kPalette[static_cast<std::size_t>(index) % kPalette.size()];
}

bool Shown(double value, Scale scale) {
  return std::isfinite(value) && (scale == Scale::kLinear || value > 0);
}

// An axis with its range settled: from data to the unit interval.
class Ruler {
 public:
  Ruler(const Axis& axis, double low, double high) : scale_(axis.scale) {
    if (!(low <= high)) low = high = 1;  // no data
    double from = Forward(low);
    double to = Forward(high);
    const double margin = to > from ? 0.05 * (to - from) : std::max(std::abs(from) * 0.1, 0.1);
    from_ = axis.low ? Forward(*axis.low) : from - margin;
    to_ = axis.high ? Forward(*axis.high) : to + margin;
  }
  double Position(double value) const { return (Forward(value) - from_) / (to_ - from_); }
  double low() const { return Backward(from_); }
  double high() const { return Backward(to_); }
  Scale scale() const { return scale_; }

 private:
  double Forward(double value) const { return scale_ == Scale::kLog ? std::log10(value) : value; }
  double Backward(double value) const {
    return scale_ == Scale::kLog ? std::pow(10, value) : value;
  }
  Scale scale_;
  double from_ = 0;
  double to_ = 1;
};

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Cover(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// Draws one panel with its upper left corner at (x, y).
class PanelDrawer {
 public:
  PanelDrawer(const Panel& panel, double x, double y, int id, std::string& svg)
      : panel_(panel),
        left_(x + kLeft),
        top_(y + kTop),
        id_(id),
        svg_(svg),
        x_(MakeRuler(true)),
        y_(MakeRuler(false)) {}

  void Draw() {
    Text(left_, top_ - 12, "start", 13, Escaped(panel_.title), "font-weight=\"600\"");
    DrawAxes();
    svg_ += fmt::format(
        "<clipPath id=\"panel{}\"><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"/></clipPath>\n"
        "<g clip-path=\"url(#panel{})\">\n",
        id_, left_, top_, Width(), kPlotHeight, id_);
    if (panel_.guide_y) {
      const double y = Y(*panel_.guide_y);
      Line(left_, y, left_ + Width(), y, "#888888", 1);
    }
    for (const auto kind : {Plotted::Kind::kBand, Plotted::Kind::kLine, Plotted::Kind::kBars,
                            Plotted::Kind::kPoints}) {
      for (const Plotted& plotted : panel_.plotted) {
        if (plotted.kind == kind) DrawPlotted(plotted);
      }
    }
    svg_ += "</g>\n";
    DrawLegend();
  }

 private:
  static double Width() { return kPanelWidth - kLeft - kRight; }
  double X(double value) const { return left_ + Width() * x_.Position(value); }
  double Y(double value) const { return top_ + kPlotHeight * (1 - y_.Position(value)); }
  bool IsShown(const XY& point) const {
    return Shown(point.x, panel_.x.scale) && Shown(point.y, panel_.y.scale);
  }

  Ruler MakeRuler(bool horizontal) const {
    Range range;
    for (const Plotted& plotted : panel_.plotted) {
      for (const auto* points : {&plotted.points, &plotted.upper}) {
        for (const XY& point : *points) {
          if (IsShown(point)) range.Cover(horizontal ? point.x : point.y);
        }
      }
    }
    return Ruler(horizontal ? panel_.x : panel_.y, range.low, range.high);
  }

  void Line(double x1, double y1, double x2, double y2, const char* color, double width) {
    svg_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"{}\"/>\n",
        x1, y1, x2, y2, color, width);
  }
  void Text(double x, double y, const char* anchor, int size, const std::string& escaped,
            const std::string& extra = "") {
    svg_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\" {}>{}</text>\n", x, y,
        anchor, size, extra, escaped);
  }

  void DrawAxes() {
    const double bottom = top_ + kPlotHeight;
    for (const double tick : TickValues(x_.low(), x_.high(), x_.scale(), kTicksWanted)) {
      Line(X(tick), top_, X(tick), bottom, "#e4e4e4", 1);
      Text(X(tick), bottom + 16, "middle", 11, TickText(tick));
    }
    for (const double tick : TickValues(y_.low(), y_.high(), y_.scale(), kTicksWanted)) {
      Line(left_, Y(tick), left_ + Width(), Y(tick), "#e4e4e4", 1);
      Text(left_ - 6, Y(tick) + 4, "end", 11, TickText(tick));
    }
    svg_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "stroke=\"#444444\"/>\n",
        left_, top_, Width(), kPlotHeight);
    Text(left_ + Width() / 2, bottom + 36, "middle", 12, Escaped(panel_.x.label));
    const double middle = top_ + kPlotHeight / 2;
    Text(left_ - 50, middle, "middle", 12, Escaped(panel_.y.label),
         fmt::format("transform=\"rotate(-90 {:.1f} {:.1f})\"", left_ - 50, middle));
  }

  void DrawPlotted(const Plotted& plotted) {
    switch (plotted.kind) {
      case Plotted::Kind::kLine:
        return Polyline(plotted);
      case Plotted::Kind::kBand:
        return Band(plotted);
      case Plotted::Kind::kBars:
        return Bars(plotted);
      case Plotted::Kind::kPoints:
        for (const XY& point : plotted.points) {
          if (IsShown(point)) Marker(plotted, X(point.x), Y(point.y));
        }
    }
  }

  std::string Path(const std::vector<XY>& points) const {
    std::string path;
    for (const XY& point : points) {
      if (IsShown(point)) path += fmt::format("{:.1f},{:.1f} ", X(point.x), Y(point.y));
    }
    return path;
  }

  void Polyline(const Plotted& plotted) {
    svg_ += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{}/>\n",
        Path(plotted.points), ColorOf(plotted.color),
        plotted.dashed ? " stroke-dasharray=\"5 4\"" : "");
  }

  void Band(const Plotted& plotted) {
    std::vector<XY> back(plotted.upper.rbegin(), plotted.upper.rend());
    svg_ += fmt::format(
        "<polygon points=\"{}{}\" fill=\"{}\" fill-opacity=\"0.15\" stroke=\"none\"/>\n",
        Path(plotted.points), Path(back), ColorOf(plotted.color));
  }

  void Bars(const Plotted& plotted) {
    for (std::size_t i = 0; i < std::min(plotted.points.size(), plotted.upper.size()); ++i) {
      const XY& low = plotted.points[i];
      const XY& high = plotted.upper[i];
      if (IsShown(low) && IsShown(high))
        Line(X(low.x), Y(low.y), X(high.x), Y(high.y), ColorOf(plotted.color), 1.2);
    }
  }

  // Circle, square, diamond, triangle.
  void Marker(const Plotted& plotted, double x, double y) {
    const double r = kMarkerRadius;
    const std::string style =
        plotted.hollow ? fmt::format("fill=\"#ffffff\" stroke=\"{}\" stroke-width=\"1.6\"",
                                     ColorOf(plotted.color))
                       : fmt::format("fill=\"{}\"", ColorOf(plotted.color));
    switch (plotted.marker % 4) {
      case 0:
        svg_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" {}/>\n", x, y, r, style);
        return;
      case 1:
        svg_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" {}/>\n",
                            x - r, y - r, 2 * r, 2 * r, style);
        return;
      case 2:
        svg_ += fmt::format("<path d=\"M{:.1f} {:.1f}l{r} {r}l-{r} {r}l-{r} -{r}z\" {style}/>\n", x,
                            y - 4.6, fmt::arg("r", 4.6), fmt::arg("style", style));
        return;
      default:
        svg_ += fmt::format("<path d=\"M{:.1f} {:.1f}l4.6 8h-9.2z\" {}/>\n", x, y - 5, style);
    }
  }

  void DrawLegend() {
    double y = top_ + kPlotHeight + kBottom + 12;
    bool right = false;
    for (const Plotted& plotted : panel_.plotted) {
      if (plotted.label.empty()) continue;
      const double x = left_ + (right ? Width() / 2 : 0);
      if (plotted.kind == Plotted::Kind::kPoints) {
        Marker(plotted, x + 10, y - 4);
      } else if (plotted.kind == Plotted::Kind::kBand) {
        svg_ += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"20\" height=\"9\" fill=\"{}\" "
            "fill-opacity=\"0.15\"/>\n",
            x, y - 8, ColorOf(plotted.color));
      } else {
        svg_ += fmt::format(
            "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
            "stroke-width=\"1.6\"{}/>\n",
            x, y - 4, x + 20, y - 4, ColorOf(plotted.color),
            plotted.dashed ? " stroke-dasharray=\"5 4\"" : "");
      }
      Text(x + 26, y, "start", 11, Escaped(plotted.label));
      if (right) y += kLegendRow;
      right = !right;
    }
    if (right) y += kLegendRow;
    for (const std::string& note : panel_.notes) {
      Text(left_, y, "start", 10, Escaped(note), "fill=\"#555555\"");
      y += kNoteRow;
    }
  }

  const Panel& panel_;
  double left_;
  double top_;
  int id_;
  std::string& svg_;
  Ruler x_;
  Ruler y_;
};

double HeightOf(const Panel& panel) {
  const auto labelled =
      std::count_if(panel.plotted.begin(), panel.plotted.end(),
                    [](const Plotted& plotted) { return !plotted.label.empty(); });
  return kTop + kPlotHeight + kBottom + 12 + kLegendRow * static_cast<double>((labelled + 1) / 2) +
         kNoteRow * static_cast<double>(panel.notes.size());
}

std::vector<double> LinearTicks(double low, double high, int wanted) {
  const double rough = (high - low) / std::max(wanted, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= rough) {
      step = digit * power;
      break;
    }
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(k == 0 ? 0 : k * step);
  }
  return ticks;
}

std::vector<double> LogTicks(double low, double high, const std::vector<int>& digits, int every) {
  std::vector<double> ticks;
  for (int power = static_cast<int>(std::floor(std::log10(low))); power <= std::log10(high) + 1;
       ++power) {
    if (power % every != 0) continue;
    for (const int digit : digits) {
      const double value = digit * std::pow(10, power);
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push_back(value);
    }
  }
  return ticks;
}

}  // namespace

std::vector<double> TickValues(double low, double high, Scale scale, int wanted) {
  if (scale == Scale::kLinear) return LinearTicks(low, high, wanted);
  const double decades = std::log10(high / low);
  if (decades > wanted)
    return LogTicks(low, high, {1}, static_cast<int>(std::ceil(decades / wanted)));
  std::vector<double> ticks;
  for (const std::vector<int>& digits :
       {std::vector<int>{1}, {1, 3}, {1, 2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}) {
    ticks = LogTicks(low, high, digits, 1);
    if (ticks.size() >= 3) return ticks;
  }
  return LinearTicks(low, high, wanted);  // well within one decade
}

std::string TickText(double value) {
  const double size = std::abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-3)) return fmt::format("{:.3g}", value);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e3) return fmt::format("{:.4g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

std::string RenderSvg(const Figure& figure) {
  const int columns =
      std::max(1, std::min<int>(figure.columns, static_cast<int>(figure.panels.size())));
  const double width = kPanelWidth * columns;
  std::string body;
  double y = kFigureTitle;
  double row_height = 0;
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    const int column = static_cast<int>(i) % columns;
    if (column == 0 && i > 0) {
      y += row_height;
      row_height = 0;
    }
    PanelDrawer(figure.panels[i], kPanelWidth * column, y, static_cast<int>(i), body).Draw();
    row_height = std::max(row_height, HeightOf(figure.panels[i]));
  }
  const double height = y + row_height + 8;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
             "viewBox=\"0 0 {0:.0f} "
             "{1:.0f}\" font-family=\"Helvetica, Arial, sans-serif\" fill=\"#222222\">\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
             "<text x=\"{2:.1f}\" y=\"24\" font-size=\"16\" font-weight=\"600\">{3}</text>\n",
             width, height, kLeft, Escaped(figure.title)) +
         body + "</svg>\n";
}

}  // namespace etude
