#include <switchyard/telemetry/text.hpp>

#include <array>
#include <charconv>
#include <cmath>

#include <switchyard/base/ascii.hpp>

namespace switchyard::inline v0::telemetry {

namespace {

/// UCUM units and how Prometheus spells them.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kUnits{{{"s", "seconds"},
                                                                               {"ms", "milliseconds"},
                                                                               {"By", "bytes"},
                                                                               {"1", "ratio"},
                                                                               {"%", "percent"},
                                                                               {"Cel", "celsius"}}};

std::string with_underscores(std::string_view name) {
  std::string out;
  if (!name.empty() && base::is_digit(name.front())) out += '_';
  for (const char c : name) out += base::is_letter(c) || base::is_digit(c) ? c : '_';
  return out;
}

std::string_view kind_name(Metric::Kind kind) {
  switch (kind) {
    case Metric::Kind::counter: return "counter";
    case Metric::Kind::gauge: return "gauge";
    case Metric::Kind::histogram: return "histogram";
  }
  return "untyped";
}

/// The shortest text that reads back as the same number.
std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

/// A recorded integer in the metric's unit; integers stay exact.
template <class T>
std::string scaled(T value, double scale) {
  return scale == 1 ? std::to_string(value) : number(static_cast<double>(value) * scale);
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

/// `{a="1",le="0.5"}` or nothing.
std::string label_block(const Labels& labels, std::string_view le = {}) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += out.empty() ? "{" : ",";
    out += with_underscores(name);
    out += "=\"";
    append_escaped(out, value, true);
    out += '"';
  }
  if (!le.empty()) {
    out += out.empty() ? "{" : ",";
    out += "le=\"";
    out += le;
    out += '"';
  }
  if (!out.empty()) out += '}';
  return out;
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix, std::string_view labels,
                   std::string_view value) {
  out += name;
  out += suffix;
  out += labels;
  out += ' ';
  out += value;
  out += '\n';
}

void append_histogram(std::string& out, std::string_view name, const Metric& metric, const Labels& labels,
                      const HistogramData& data) {
  for (const double boundary : metric.boundaries) {
    append_sample(out, name, "_bucket", label_block(labels, number(boundary)),
                  std::to_string(data.count_up_to(std::round(boundary / metric.scale))));
  }
  append_sample(out, name, "_bucket", label_block(labels, "+Inf"), std::to_string(data.count()));
  append_sample(out, name, "_sum", label_block(labels), scaled(data.sum(), metric.scale));
  append_sample(out, name, "_count", label_block(labels), std::to_string(data.count()));
}

}  // namespace

std::string text_name(const Metric& metric) {
  std::string name = with_underscores(metric.name);
  for (const auto& [unit, spelled] : kUnits) {
    // A share is only called so when it is a gauge; a counter in "1" just counts.
    if (unit != metric.unit || (unit == "1" && metric.kind != Metric::Kind::gauge)) continue;
    if (!name.ends_with("_" + std::string(spelled))) name += "_" + std::string(spelled);
  }
  if (metric.kind == Metric::Kind::counter && !name.ends_with("_total")) name += "_total";
  return name;
}

std::string to_text(std::span<const Family> families) {
  std::string out;
  for (const Family& family : families) {
    if (family.series.empty()) continue;
    const Metric& metric = *family.metric;
    const std::string name = text_name(metric);
    out += "# HELP " + name + ' ';
    append_escaped(out, metric.help, false);
    out += "\n# TYPE " + name + ' ';
    out += kind_name(metric.kind);
    out += '\n';
    for (const Series& series : family.series) {
      if (const auto* data = std::get_if<HistogramData>(&series.value)) {
        append_histogram(out, name, metric, series.labels, *data);
      } else if (const auto* count = std::get_if<std::uint64_t>(&series.value)) {
        append_sample(out, name, "", label_block(series.labels), scaled(*count, metric.scale));
      } else {
        append_sample(out, name, "", label_block(series.labels),
                      scaled(std::get<std::int64_t>(series.value), metric.scale));
      }
    }
  }
  return out;
}

}  // namespace switchyard::inline v0::telemetry
