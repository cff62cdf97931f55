#include "client/figure_panel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "client/display_text.h"

namespace etude {
namespace {

// Okabe and Ito 2008, "Color Universal Design", without the yellow that white paper swallows.
constexpr std::array<const char*, 7> kPalette = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                 "#56B4E9", "#E69F00", "#000000"};
constexpr const char* kNeutral = "#666666";
constexpr int kMarkerShapes = 5;

constexpr double kPlotHeight = 290;
constexpr double kPlotWidth = kPanelWidth - kPanelLeft - kPanelRight;
constexpr double kTop = 30;
constexpr double kBottom = 62;    // tick texts, the axis' label and a gap
constexpr double kTickRoom = 44;  // between the axis' label and the tick texts of y
constexpr double kMarkerRadius = 3.6;
constexpr double kCap = 3;  // half the width of an interval's ends
constexpr int kTicksWanted = 6;
constexpr int kHangingLetters = 6;  // of a category's name that does not fit upright

constexpr int kPanelTitleSize = 13;
constexpr int kLabelSize = 12;
constexpr int kTextSize = 11;  // ticks and legend
constexpr int kNoteSize = 10;
constexpr double kLegendRow = 17;
constexpr double kNoteRow = 14;
constexpr double kNoteGap = 4;
constexpr double kGlyphWidth = 20;  // of a legend entry's line or mark
constexpr double kGlyphGap = 6;
constexpr double kEntryGap = 12;
constexpr int kMaxLegendColumns = 4;
constexpr std::size_t kMaxNoteLines = 8;  // of one note; the rest is left out

// Of the font's size, a generous mean over the fonts that the stack may meet.
constexpr double kLetterWidth = 0.54;

double WidthOf(std::string_view text, int size) { return DisplayWidth(text) * kLetterWidth * size; }

// Lines of at most `letters`, broken at spaces; a longer word is cut.
std::vector<std::string> Wrapped(std::string_view text, int letters) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string word = Shortened(text.substr(0, end), letters);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!lines.empty() && DisplayWidth(lines.back()) + 1 + DisplayWidth(word) <= letters) {
      lines.back() += " " + word;
    } else if (lines.size() < kMaxNoteLines) {
      lines.push_back(word);
    } else {
      lines.back() += " ...";
      break;
    }
  }
  return lines;
}

const char* ColorOf(int index) {
  if (index == kNeutralColor) return kNeutral;
  return kPalette[static_cast<std::size_t>(index) % kPalette.size()];
}

// The bound keeps differences of two values finite.
bool Shown(double value, Scale scale) {
  constexpr double kLargest = 1e150;
  return std::abs(value) <= kLargest && (scale == Scale::kLinear || value > 0);
}

// An axis with its range settled: from data to the unit interval.
class Ruler {
 public:
  Ruler(const Axis& axis, const DataRange& range) : scale_(axis.scale), empty_(range.empty()) {
    const double low = axis.low && Shown(*axis.low, scale_) ? *axis.low : range.low;
    const double high = axis.high && Shown(*axis.high, scale_) ? *axis.high : range.high;
    if (empty_ || low > high) return;
    from_ = Forward(low);
    to_ = Forward(high);
    constexpr double kLeastSpan = 1e-9;  // relative; below it ticks cannot be told apart
    const double size = std::max(std::abs(from_), std::abs(to_));
    const bool narrow = to_ - from_ <= kLeastSpan * size;
    const double margin = narrow ? std::max(0.1 * size, 0.1) : 0.05 * (to_ - from_);
    if (narrow || low != axis.low) from_ -= margin;
    if (narrow || high != axis.high) to_ += margin;
  }
  double Position(double value) const { return (Forward(value) - from_) / (to_ - from_); }
  std::vector<double> Ticks() const {
    if (empty_) return {};
    return TickValues(Backward(from_), Backward(to_), scale_, kTicksWanted);
  }
  bool empty() const { return empty_; }

 private:
  double Forward(double value) const { return scale_ == Scale::kLog ? std::log10(value) : value; }
  double Backward(double value) const {
    return scale_ == Scale::kLog ? std::pow(10, value) : value;
  }
  Scale scale_;
  bool empty_;
  double from_ = 0;
  double to_ = 1;
};

bool IsShown(const Panel& panel, const XY& point) {
  return Shown(point.x, panel.x.scale) && Shown(point.y, panel.y.scale);
}

// A column is as wide as it is, and stands on 0.
void CoverColumn(const Plotted& plotted, const Panel& panel, DataExtent& extent, const XY& point) {
  for (const double x : {point.x - plotted.width / 2, point.x + plotted.width / 2}) {
    if (Shown(x, panel.x.scale)) extent.x.Cover(x);
  }
  if (panel.y.scale == Scale::kLinear) extent.y.Cover(0);
}

// Draws one panel with its upper left corner at (x, y).
class PanelDrawer {
 public:
  PanelDrawer(const Panel& panel, const DataExtent& extent, double x, double y, std::size_t id,
              std::string& svg)
      : panel_(panel),
        left_(x + kPanelLeft),
        top_(y + kTop),
        id_(id),
        svg_(svg),
        x_(panel.x, extent.x),
        y_(panel.y, extent.y) {}

  // Returns the height that it took.
  double Draw() {
    Text(left_, top_ - 10, "start", kPanelTitleSize, Fitted(panel_.title, kBold * kPanelTitleSize),
         " font-weight=\"600\"");
    DrawAxes();
    DrawData();
    double y = top_ + kPlotHeight + kBottom;
    y = DrawLegend(y);
    y = DrawNotes(y);
    return y - (top_ - kTop);
  }

 private:
  double X(double value) const { return left_ + kPlotWidth * x_.Position(value); }
  double Y(double value) const { return top_ + kPlotHeight * (1 - y_.Position(value)); }
  void Line(double x1, double y1, double x2, double y2, const char* color, double width,
            const char* extra = "") {
    svg_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"{}\"{}/>\n",
        x1, y1, x2, y2, color, width, extra);
  }
  void Text(double x, double y, const char* anchor, int size, std::string_view text,
            const std::string& extra = "") {
    svg_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\"{}>{}</text>\n", x, y,
        anchor, size, extra, EscapedXml(text));
  }
  static std::string Fitted(const std::string& text, double size, double width = kPlotWidth) {
    return Shortened(text, LettersIn(width, size));
  }
  static const char* DashesOf(const Plotted& plotted) {
    return plotted.dashed ? " stroke-dasharray=\"5 4\"" : "";
  }

  void DrawAxes() {
    const double bottom = top_ + kPlotHeight;
    const bool named = !panel_.x.categories.empty();
    const std::vector<double> columns = named ? std::vector<double>{} : x_.Ticks();
    const std::vector<double> rows = y_.Ticks();
    for (const double tick : columns) Line(X(tick), top_, X(tick), bottom, "#e4e4e4", 1);
    for (const double tick : rows) {
      Line(left_, Y(tick), left_ + kPlotWidth, Y(tick), "#e4e4e4", 1);
    }
    svg_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "stroke=\"#444444\"/>\n",
        left_, top_, kPlotWidth, kPlotHeight);
    const std::vector<std::string> column_texts = TickTexts(columns);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      Text(X(columns[i]), bottom + 16, "middle", kTextSize, WithMinus(column_texts[i]));
    }
    if (named) DrawCategories(bottom + 16);
    const std::vector<std::string> row_texts = TickTexts(rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Text(left_ - 6, Y(rows[i]) + 4, "end", kTextSize, WithMinus(row_texts[i]));
    }
    Text(left_ + kPlotWidth / 2, bottom + 36, "middle", kLabelSize,
         Fitted(panel_.x.label, kLabelSize));
    const double x = left_ - 6 - kTickRoom;
    const double middle = top_ + kPlotHeight / 2;
    Text(x, middle, "middle", kLabelSize, Fitted(panel_.y.label, kLabelSize, kPlotHeight),
         fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", x, middle));
  }

  // Upright where its column is wide enough; else it hangs.
  void DrawCategories(double y) {
    if (x_.empty()) return;
    const std::vector<std::string>& names = panel_.x.categories;
    const double room = std::abs(X(1) - X(0));
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double x = X(static_cast<double>(i));
      if (WidthOf(names[i], kTextSize) <= room) {
        Text(x, y, "middle", kTextSize, names[i]);
      } else {
        Text(x + 3, y - 10, "end", kNoteSize, Shortened(names[i], kHangingLetters),
             fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", x + 3, y - 10));
      }
    }
  }

  // The sign as typographers write it, as wide as a plus.
  static std::string WithMinus(const std::string& number) {
    return number.starts_with('-') ? "\u2212" + number.substr(1) : number;
  }

  void DrawData() {
    if (x_.empty()) {
      Text(left_ + kPlotWidth / 2, top_ + kPlotHeight / 2, "middle", kLabelSize, "no data",
           fmt::format(" fill=\"{}\"", kNeutral));
      return;
    }
    svg_ += fmt::format(
        "<clipPath id=\"panel{0}\"><rect x=\"{1:.1f}\" y=\"{2:.1f}\" width=\"{3:.1f}\" "
        "height=\"{4:.1f}\"/></clipPath>\n<g clip-path=\"url(#panel{0})\">\n",
        id_, left_, top_, kPlotWidth, kPlotHeight);
    DrawAll(Plotted::Kind::kColumns);
    DrawAll(Plotted::Kind::kBand);
    if (panel_.guide_y && Shown(*panel_.guide_y, panel_.y.scale)) {
      Line(left_, Y(*panel_.guide_y), left_ + kPlotWidth, Y(*panel_.guide_y), kNeutral, 1);
    }
    DrawAll(Plotted::Kind::kLine);
    DrawAll(Plotted::Kind::kBars);
    svg_ += "</g>\n";
    DrawAll(Plotted::Kind::kPoints);  // whole, also those on the frame
  }

  void DrawAll(Plotted::Kind kind) {
    for (const Plotted& plotted : panel_.plotted) {
      if (plotted.kind == kind) DrawPlotted(plotted);
    }
  }

  void DrawPlotted(const Plotted& plotted) {
    switch (plotted.kind) {
      case Plotted::Kind::kLine:
        return Polyline(plotted);
      case Plotted::Kind::kBand:
        return Band(plotted);
      case Plotted::Kind::kBars:
        return Bars(plotted);
      case Plotted::Kind::kColumns:
        return Columns(plotted);
      case Plotted::Kind::kPoints:
        for (const XY& point : plotted.points) {
          if (IsShown(panel_, point) && IsInside(point)) Marker(plotted, X(point.x), Y(point.y));
        }
    }
  }

  bool IsInside(const XY& point) const {
    const auto within = [](double position) { return position >= 0 && position <= 1; };
    return within(x_.Position(point.x)) && within(y_.Position(point.y));
  }

  std::string Path(const std::vector<XY>& points) const {
    std::string path;
    for (const XY& point : points) {
      if (IsShown(panel_, point)) path += fmt::format("{:.1f},{:.1f} ", X(point.x), Y(point.y));
    }
    if (!path.empty()) path.pop_back();
    return path;
  }

  void Polyline(const Plotted& plotted) {
    const std::string path = Path(plotted.points);
    if (path.empty()) return;
    svg_ += fmt::format(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" "
        "stroke-linejoin=\"round\"{}/>\n",
        path, ColorOf(plotted.color), DashesOf(plotted));
  }

  void Band(const Plotted& plotted) {
    const std::string path = Path(plotted.points);
    const std::string back = Path({plotted.upper.rbegin(), plotted.upper.rend()});
    if (path.empty() || back.empty()) return;
    svg_ += fmt::format("<polygon points=\"{} {}\" fill=\"{}\" fill-opacity=\"0.15\"/>\n", path,
                        back, ColorOf(plotted.color));
  }

  void Bars(const Plotted& plotted) {
    for (std::size_t i = 0; i < std::min(plotted.points.size(), plotted.upper.size()); ++i) {
      const XY& low = plotted.points[i];
      const XY& high = plotted.upper[i];
      if (IsShown(panel_, low) && IsShown(panel_, high))
        Bar(X(low.x), Y(low.y), Y(high.y), ColorOf(plotted.color));
    }
  }
  void Bar(double x, double low, double high, const char* color) {
    svg_ += fmt::format(
        "<path d=\"M{0:.1f} {1:.1f}H{2:.1f}M{3:.1f} {1:.1f}V{4:.1f}M{0:.1f} {4:.1f}H{2:.1f}\" "
        "fill=\"none\" stroke=\"{5}\" stroke-width=\"1.4\"/>\n",
        x - kCap, low, x + kCap, x, high, color);
  }

  // On a logarithmic axis they stand on its lower end.
  void Columns(const Plotted& plotted) {
    const double foot = panel_.y.scale == Scale::kLog ? top_ + kPlotHeight : Y(0);
    for (const XY& point : plotted.points) {
      if (!IsShown(panel_, point)) continue;
      const double left = X(point.x - plotted.width / 2);
      const double right = X(point.x + plotted.width / 2);
      svg_ += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
          "fill-opacity=\"0.8\"/>\n",
          left, std::min(Y(point.y), foot), right - left, std::abs(foot - Y(point.y)),
          ColorOf(plotted.color));
    }
  }

  // Circle, square, diamond, triangle up, triangle down.
  void Marker(const Plotted& plotted, double x, double y) {
    const char* color = ColorOf(plotted.color);
    const std::string style =
        plotted.hollow
            ? fmt::format(
                  "fill=\"#ffffff\" fill-opacity=\"0.6\" stroke=\"{}\" stroke-width=\"1.6\"", color)
            : fmt::format("fill=\"{}\"", color);
    constexpr double r = kMarkerRadius;
    switch (plotted.marker % kMarkerShapes) {
      case 0:
        svg_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" {}/>\n", x, y, r, style);
        return;
      case 1:
        svg_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" {}/>\n",
                            x - r, y - r, 2 * r, 2 * r, style);
        return;
      case 2:
        svg_ += fmt::format("<path d=\"M{:.1f} {:.1f}l4.8 4.8l-4.8 4.8l-4.8 -4.8z\" {}/>\n", x,
                            y - 4.8, style);
        return;
      case 3:
        svg_ += fmt::format("<path d=\"M{:.1f} {:.1f}l4.8 8.2h-9.6z\" {}/>\n", x, y - 5, style);
        return;
      default:
        svg_ += fmt::format("<path d=\"M{:.1f} {:.1f}l4.8 -8.2h-9.6z\" {}/>\n", x, y + 5, style);
    }
  }

  // In as many columns as the longest label allows; returns where the next line would stand.
  double DrawLegend(double y) {
    std::vector<const Plotted*> entries;
    double widest = 1;
    for (const Plotted& plotted : panel_.plotted) {
      if (plotted.label.empty()) continue;
      entries.push_back(&plotted);
      widest = std::max(widest, WidthOf(plotted.label, kTextSize));
    }
    const double entry = kGlyphWidth + kGlyphGap + widest + kEntryGap;
    const int columns =
        std::clamp(static_cast<int>((kPlotWidth + kEntryGap) / entry), 1, kMaxLegendColumns);
    const double column_width = (kPlotWidth + kEntryGap) / columns;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto column = static_cast<double>(i % static_cast<std::size_t>(columns));
      if (i > 0 && column == 0) y += kLegendRow;
      const double x = left_ + column * column_width;
      Glyph(*entries[i], x, y - 4);
      Text(x + kGlyphWidth + kGlyphGap, y, "start", kTextSize,
           Fitted(entries[i]->label, kTextSize, kPlotWidth - kGlyphWidth - kGlyphGap));
    }
    return entries.empty() ? y : y + kLegendRow;
  }

  void Glyph(const Plotted& plotted, double x, double y) {
    const char* color = ColorOf(plotted.color);
    switch (plotted.kind) {
      case Plotted::Kind::kPoints:
        return Marker(plotted, x + kGlyphWidth / 2, y);
      case Plotted::Kind::kBars:
        return Bar(x + kGlyphWidth / 2, y + 6, y - 6, color);
      case Plotted::Kind::kLine:
        return Line(x, y, x + kGlyphWidth, y, color, 1.5, DashesOf(plotted));
      case Plotted::Kind::kColumns:
      case Plotted::Kind::kBand:
        svg_ += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"10\" fill=\"{}\" "
            "fill-opacity=\"0.25\"/>\n",
            x, y - 5, kGlyphWidth, color);
    }
  }

  double DrawNotes(double y) {
    if (!panel_.notes.empty()) y += kNoteGap;
    for (const std::string& note : panel_.notes) {
      for (const std::string& line : Wrapped(note, LettersIn(kPlotWidth, kNoteSize))) {
        Text(left_, y, "start", kNoteSize, line, " fill=\"#555555\"");
        y += kNoteRow;
      }
    }
    return y;
  }

  const Panel& panel_;
  double left_;
  double top_;
  std::size_t id_;
  std::string& svg_;
  Ruler x_;
  Ruler y_;
};

}  // namespace

int LettersIn(double width, double size) { return static_cast<int>(width / (kLetterWidth * size)); }

std::string EscapedXml(std::string_view text) {
  std::string escaped;
  const std::string printable = Printable(text);
  for (std::size_t i = 0; i < printable.size(); ++i) {
    const std::string_view rest = std::string_view(printable).substr(i);
    if (rest.starts_with("\xEF\xBF\xBE") || rest.starts_with("\xEF\xBF\xBF")) {
      escaped += '?';
      i += 2;
      continue;
    }
    switch (rest.front()) {
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
        escaped += rest.front();
    }
  }
  return escaped;
}

void DataExtent::Cover(const Panel& panel) {
  for (const Plotted& plotted : panel.plotted) {
    for (const auto* points : {&plotted.points, &plotted.upper}) {
      for (const XY& point : *points) {
        if (!IsShown(panel, point)) continue;
        x.Cover(point.x);
        y.Cover(point.y);
        if (plotted.kind == Plotted::Kind::kColumns) CoverColumn(plotted, panel, *this, point);
      }
    }
  }
  const bool guided = panel.guide_y && Shown(*panel.guide_y, panel.y.scale);
  if (guided && !y.empty()) y.Cover(*panel.guide_y);
}

double DrawPanel(const Panel& panel, const DataExtent& extent, double x, double y, std::size_t id,
                 std::string& svg) {
  return PanelDrawer(panel, extent, x, y, id, svg).Draw();
}

}  // namespace etude
