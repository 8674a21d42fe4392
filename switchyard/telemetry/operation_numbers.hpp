// The numbers of the operations that ran at one endpoint with one access: how long callers waited for a session,
// how long operations ran, how they ended, and the same for each statement that has a name.
//
// Recording one operation costs some ten nanoseconds (bench/telemetry_bench). Names are bounded: those that come
// when `max_names` are known already count together as "other".
#pragma once

#include <switchyard/base/error.hpp>
#include <switchyard/base/export.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/telemetry/counters.hpp>
#include <switchyard/telemetry/histogram.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::inline v0::telemetry {

inline constexpr std::size_t kErrorKinds = static_cast<std::size_t>(ErrorKind::Closed) + 1;
inline constexpr std::string_view kOtherStatements = "other";

/// One operation that has ended.
struct OperationSample {
  std::string_view name;           ///< of its statement; empty: not named
  bool ran = true;                 ///< it got a session; `execution` counts only then
  Duration execution{};            ///< from its session to its end
  std::optional<ErrorKind> error;  ///< how it failed
  bool slow = false;               ///< execution above slow_query
};

/// What was recorded, as plain values.
struct StatementNumbers {
  std::string name;
  std::uint64_t errors = 0;
  HistogramData execution;
};
struct OperationTotals {
  std::uint64_t count = 0;
  std::array<std::uint64_t, kErrorKinds> errors{};
  std::uint64_t slow = 0;
  std::uint64_t slow_acquires = 0;
  std::uint64_t retries = 0;
  std::uint64_t within_target = 0;  ///< of those that ran
  HistogramData acquire;
  HistogramData execution;
  std::vector<StatementNumbers> statements;  ///< sorted by name

  [[nodiscard]] std::uint64_t all_errors() const noexcept {
    std::uint64_t sum = 0;
    for (const std::uint64_t of_kind : errors) sum += of_kind;
    return sum;
  }
};

/// Written and read by one thread.
class SWITCHYARD_API OperationNumbers {
 public:
  struct Options {
    Duration latency_target{};    ///< zero: none
    std::size_t max_names = 200;  ///< setting telemetry.statement_names
  };
  explicit OperationNumbers(Options options);
  ~OperationNumbers();
  OperationNumbers(const OperationNumbers&) = delete;
  OperationNumbers& operator=(const OperationNumbers&) = delete;

  void record(const OperationSample& sample) noexcept {
    count_.add();
    if (sample.error) errors_[static_cast<std::size_t>(*sample.error)].add();
    if (sample.slow) slow_.add();
    if (sample.ran) {
      execution_.record(sample.execution);
      if (sample.execution <= target_) within_target_.add();
    }
    if (!sample.name.empty()) record_named(sample);
  }
  /// A caller (an operation, a transaction, a lease) got a session after this wait.
  void acquired(Duration waited, bool slow) noexcept {
    acquire_.record(waited);
    if (slow) slow_acquires_.add();
  }
  /// An attempt was made again.
  void retried() noexcept { retries_.add(); }

  [[nodiscard]] OperationTotals read() const;

 private:
  struct Named;
  void record_named(const OperationSample& sample) noexcept;
  [[nodiscard]] Named& find_or_add(std::string_view name);

  Counter count_;
  std::array<Counter, kErrorKinds> errors_;
  Counter slow_;
  Counter slow_acquires_;
  Counter retries_;
  Counter within_target_;
  Histogram acquire_;
  Histogram execution_;
  Duration target_;
  std::size_t max_names_;
  std::unique_ptr<Named> other_;               // made when needed
  std::vector<std::unique_ptr<Named>> named_;  // open addressing, a power of two, at most half full
  std::size_t names_ = 0;
};

}  // namespace switchyard::inline v0::telemetry
