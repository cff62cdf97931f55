#include "client/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "client/display_text.h"
#include "client/figure_panel.h"

namespace etude {
namespace {

constexpr double kFigureTitle = 38;
constexpr double kFoot = 14;
constexpr int kTitleSize = 16;

DataExtent ExtentOf(std::span<const Panel> panels) {
  DataExtent extent;
  for (const Panel& panel : panels) extent.Cover(panel);
  return extent;
}

}  // namespace

std::string RenderSvg(const Figure& figure) {
  const int columns =
      std::clamp(static_cast<int>(figure.panels.size()), 1, std::max(1, figure.columns));
  const double width = kPanelWidth * columns;
  const DataExtent all = ExtentOf(figure.panels);
  std::string body;
  double y = kFigureTitle;
  double row_height = 0;
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    const auto column = i % static_cast<std::size_t>(columns);
    if (column == 0) {
      y += row_height;
      row_height = 0;
    }
    DataExtent extent = ExtentOf({&figure.panels[i], 1});
    if (figure.same_x && !extent.x.empty()) extent.x = all.x;
    if (figure.same_y && !extent.y.empty()) extent.y = all.y;
    const double x = kPanelWidth * static_cast<double>(column);
    row_height = std::max(row_height, DrawPanel(figure.panels[i], extent, x, y, i, body));
  }
  const std::string shown =
      Shortened(figure.title, LettersIn(width - kPanelLeft - kPanelRight, kBold * kTitleSize));
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{0:.0f}\" "
             "height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"system-ui, "
             "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif\" "
             "fill=\"#222222\">\n<title>{2}</title>\n"
             "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
             "<text x=\"{3:.1f}\" y=\"26\" font-size=\"{4}\" font-weight=\"600\">{5}</text>\n",
             width, y + row_height + kFoot, EscapedXml(figure.title), kPanelLeft, kTitleSize,
             EscapedXml(shown)) +
         body + "</svg>\n";
}

}  // namespace etude
