#include <switchyard/base/assert.hpp>
#include <switchyard/telemetry/registry.hpp>

#include <algorithm>
#include <map>
#include <mutex>

namespace switchyard::inline v0::telemetry {

namespace {

constexpr Metric kDroppedSeries{.kind = Metric::Kind::counter,
                                .name = "switchyard.telemetry.dropped_series",
                                .unit = "{series}",
                                .help = "Series not shown because there were too many."};

using Number = std::variant<const Counter*, const Gauge*, const Histogram*>;
using Value = std::variant<std::uint64_t, std::int64_t, HistogramData>;

Value zero_of(Metric::Kind kind) {
  switch (kind) {
    case Metric::Kind::counter: return std::uint64_t{0};
    case Metric::Kind::gauge: return std::int64_t{0};
    case Metric::Kind::histogram: return HistogramData();
  }
  return std::uint64_t{0};
}

void add_to(Value& sum, const Number& number) {
  if (const auto* counter = std::get_if<const Counter*>(&number)) {
    std::get<std::uint64_t>(sum) += (*counter)->value();
  } else if (const auto* gauge = std::get_if<const Gauge*>(&number)) {
    std::get<std::int64_t>(sum) += (*gauge)->value();
  } else {
    std::get<const Histogram*>(number)->read_into(std::get<HistogramData>(sum));
  }
}

}  // namespace

struct LiveSeries {
  std::vector<Number> numbers;
  Value gone;  ///< what counters and histograms had reached when they went
};

struct Registry::State {
  struct LiveFamily {
    const Metric* metric;
    std::map<Labels, LiveSeries> series;
  };

  mutable std::mutex mutex;
  std::map<std::string_view, LiveFamily> families;
  std::size_t series_count = 0;
  std::uint64_t dropped = 0;

  /// Null when there are too many.
  LiveSeries* find_or_add(const Metric& metric, Labels labels) {
    LiveFamily& family = families.try_emplace(metric.name, LiveFamily{&metric, {}}).first->second;
    SY_ASSERT(family.metric->kind == metric.kind);
    if (const auto found = family.series.find(labels); found != family.series.end()) return &found->second;
    if (series_count == kMaxSeries) {
      ++dropped;
      return nullptr;
    }
    ++series_count;
    return &family.series.emplace(std::move(labels), LiveSeries{{}, zero_of(metric.kind)}).first->second;
  }
};

Registry::Registry() : state_(std::make_shared<State>()) {}
Registry::~Registry() = default;

Registration Registry::add(const Metric& metric, Labels labels, const Counter& counter) {
  SY_ASSERT(metric.kind == Metric::Kind::counter);
  return Registration::make(state_, metric, std::move(labels), &counter);
}

Registration Registry::add(const Metric& metric, Labels labels, const Gauge& gauge) {
  SY_ASSERT(metric.kind == Metric::Kind::gauge);
  return Registration::make(state_, metric, std::move(labels), &gauge);
}

Registration Registry::add(const Metric& metric, Labels labels, const Histogram& histogram) {
  SY_ASSERT(metric.kind == Metric::Kind::histogram);
  return Registration::make(state_, metric, std::move(labels), &histogram);
}

std::vector<Family> Registry::read() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<Family> result;
  for (const auto& [name, family] : state_->families) {
    Family& shown = result.emplace_back(Family{family.metric, {}});
    for (const auto& [labels, live] : family.series) {
      // A gauge that nobody writes any more says nothing; a counter keeps what it counted.
      if (family.metric->kind == Metric::Kind::gauge && live.numbers.empty()) continue;
      Series& series = shown.series.emplace_back(Series{labels, live.gone});
      for (const Number& number : live.numbers) add_to(series.value, number);
    }
  }
  if (state_->dropped != 0) {
    const auto place = std::ranges::lower_bound(result, kDroppedSeries.name, {},
                                                [](const Family& family) { return family.metric->name; });
    result.insert(place, Family{&kDroppedSeries, {Series{{}, state_->dropped}}});
  }
  return result;
}

Registration::Registration() noexcept = default;

Registration::Registration(std::shared_ptr<Registry::State> state, LiveSeries* series, Number number) noexcept
    : state_(std::move(state)), series_(series), number_(number) {}

Registration::Registration(Registration&& other) noexcept
    : state_(std::move(other.state_)), series_(std::exchange(other.series_, nullptr)), number_(other.number_) {}

Registration& Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    end();
    state_ = std::move(other.state_);
    series_ = std::exchange(other.series_, nullptr);
    number_ = other.number_;
  }
  return *this;
}

Registration::~Registration() { end(); }

Registration Registration::make(const std::shared_ptr<Registry::State>& state, const Metric& metric, Labels labels,
                                Number number) {
  std::ranges::sort(labels);
  const std::lock_guard lock(state->mutex);
  LiveSeries* series = state->find_or_add(metric, std::move(labels));
  if (series == nullptr) return {};
  series->numbers.push_back(number);
  return {state, series, number};
}

void Registration::end() noexcept {
  if (series_ == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  LiveSeries& series = *std::exchange(series_, nullptr);
  const auto place = std::ranges::find(series.numbers, number_);
  SY_ASSERT(place != series.numbers.end());
  series.numbers.erase(place);
  if (!std::holds_alternative<const Gauge*>(number_)) add_to(series.gone, number_);
}

}  // namespace switchyard::inline v0::telemetry
