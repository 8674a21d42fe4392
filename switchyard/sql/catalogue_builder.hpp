// Makes a snapshot of the catalogue from the answers to catalogue_queries(). It runs no question itself.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/base/result.hpp>
#include <switchyard/sql/catalogue.hpp>
#include <switchyard/sql/catalogue_queries.hpp>
#include <switchyard/sql/safe_names.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace switchyard::inline v0::sql {

/// What a catalogue may have at most; beyond it there is no snapshot, and nothing shares.
struct CatalogueLimits {
  std::size_t rows = 1'000'000;  ///< of all answers together
  std::size_t bytes = 256u << 20;
};

/// One use: a row after the other, then finish().
class SWITCHYARD_API CatalogueBuilder {
 public:
  explicit CatalogueBuilder(SafeNames safe = {}, CatalogueLimits limits = {});
  ~CatalogueBuilder();
  CatalogueBuilder(const CatalogueBuilder&) = delete;
  CatalogueBuilder& operator=(const CatalogueBuilder&) = delete;

  /// The system's objects are those of a former snapshot of this database: their questions need not be asked.
  void reuse(const CatalogueSnapshot& former);
  /// A row of the answer to that question, as text; null is nullopt. Fails when a limit is passed (the error names
  /// it) or when the row is not what the question gives.
  Result<void> add(const CatalogueQuery& query, std::span<const std::optional<std::string_view>> row);
  Result<std::shared_ptr<const CatalogueSnapshot>> finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace switchyard::inline v0::sql
