#include <switchyard/sql/allow_list.hpp>
#include <switchyard/sql/catalogue_builder.hpp>
#include <switchyard/sql/catalogue_judgement.hpp>
#include <switchyard/sql/catalogue_rows.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace switchyard::inline v0::sql {
namespace {

using Field = std::optional<std::string_view>;

/// pg_proc.prosrc of what CREATE TYPE ... AS RANGE makes; in the language internal, which only a superuser may use.
constexpr auto kRangeConstructors =
    std::to_array<std::string_view>({"range_constructor2", "range_constructor3", "multirange_constructor0",
                                     "multirange_constructor1", "multirange_constructor2"});

/// Reads the fields of a row from left to right.
class RowReader {
 public:
  explicit RowReader(std::span<const Field> row) noexcept : row_(row) {}
  [[nodiscard]] bool ok() const noexcept { return ok_ && at_ == row_.size(); }

  std::string_view view() noexcept {
    if (at_ >= row_.size()) {
      ok_ = false;
      return {};
    }
    return row_[at_++].value_or(std::string_view());
  }
  std::string text() { return std::string(view()); }
  char letter() noexcept {
    const std::string_view field = view();
    if (field.size() != 1) ok_ = false;
    return field.empty() ? '\0' : field.front();
  }
  Oid oid() noexcept { return number(view()); }
  bool flag() noexcept { return oid() != 0; }
  /// Separated by blanks.
  std::vector<Oid> oids() {
    std::vector<Oid> out;
    for (std::string_view rest = view(); !rest.empty();) {
      const std::string_view word = rest.substr(0, rest.find(' '));
      out.push_back(number(word));
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    return out;
  }

 private:
  Oid number(std::string_view field) noexcept {
    Oid value = 0;
    const auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (problem != std::errc() || end != field.data() + field.size()) ok_ = false;
    return value;
  }

  std::span<const Field> row_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

TreeRow read_tree(RowReader& in) {
  TreeRow out;
  out.owner = in.oid();
  out.tree = scan_node_tree(in.view());
  return out;
}

FunctionRow read_function(RowReader& in) {
  FunctionRow out;
  out.oid = in.oid();
  out.schema = in.text();
  out.name = in.text();
  const std::string_view argument_types = in.view();
  const Field types[] = {argument_types};
  out.arguments = RowReader(types).oids();
  out.result = in.oid();
  in.oid();  // their number
  out.defaults = in.oid();
  out.variadic = in.flag();
  out.named_arguments = in.flag();
  const std::string_view language = in.view();
  const std::string_view source = in.view();
  out.fingerprint = function_fingerprint(out.name, argument_types, language, source);
  out.makes_range =
      language == "internal" && std::ranges::find(kRangeConstructors, source) != kRangeConstructors.end();
  out.altered = in.flag();
  out.parts = in.oids();
  out.extension = in.text();
  return out;
}

OperatorRow read_operator(RowReader& in) {
  OperatorRow out;
  out.oid = in.oid();
  out.schema = in.text();
  out.name = in.text();
  out.left = in.oid();
  out.right = in.oid();
  out.function = in.oid();
  out.restriction = in.oid();
  out.join = in.oid();
  return out;
}

TypeRow read_type(RowReader& in) {
  TypeRow out;
  out.oid = in.oid();
  out.schema = in.text();
  out.name = in.text();
  out.kind = in.letter();
  out.category = in.letter();
  out.preferred = in.flag();
  out.element = in.oid();
  out.base = in.oid();
  out.relation = in.oid();
  out.io = in.oids();
  out.subscript = in.oid();
  return out;
}

RelationRow read_relation(RowReader& in) {
  RelationRow out;
  out.oid = in.oid();
  out.schema = in.text();
  out.name = in.text();
  out.kind = in.letter();
  out.persistence = in.letter();
  out.row_security = in.flag();
  out.row_type = in.oid();
  return out;
}

// The members of a brace-enclosed list are initialised from left to right, as the fields come.
void read_row(CatalogueRows& rows, CataloguePart part, RowReader& in) {
  switch (part) {
    case CataloguePart::server:
      rows.server_encoding = in.text();
      rows.client_encoding = in.text();
      rows.standard_conforming_strings = in.text();
      break;
    case CataloguePart::functions: rows.functions.push_back(read_function(in)); break;
    case CataloguePart::function_bodies: rows.function_bodies.push_back(read_tree(in)); break;
    case CataloguePart::operators: rows.operators.push_back(read_operator(in)); break;
    case CataloguePart::types: rows.types.push_back(read_type(in)); break;
    case CataloguePart::ranges:
      rows.ranges.push_back({in.oid(), in.oid(), in.oid(), in.oid(), in.oid(), in.oid()});
      break;
    case CataloguePart::domain_checks: rows.domain_checks.push_back(read_tree(in)); break;
    case CataloguePart::operator_classes:
      rows.operator_classes.push_back({in.oid(), in.oid(), in.oid(), in.flag(), in.text()});
      break;
    case CataloguePart::family_members:
      rows.family_members.push_back({in.oid(), in.oid(), in.oid(), in.flag(), in.oid()});
      break;
    case CataloguePart::casts: rows.casts.push_back({in.oid(), in.oid(), in.oid(), in.letter()}); break;
    case CataloguePart::relations: rows.relations.push_back(read_relation(in)); break;
    case CataloguePart::columns: rows.columns.push_back({in.oid(), in.oid()}); break;
    case CataloguePart::views: rows.views.push_back(read_tree(in)); break;
    case CataloguePart::policies: rows.policies.push_back(read_tree(in)); break;
    case CataloguePart::generated_columns: rows.generated_columns.push_back(read_tree(in)); break;
    case CataloguePart::inheritance: rows.inheritance.push_back({in.oid(), in.oid()}); break;
    case CataloguePart::relation_uses: rows.uses.push_back({in.oid(), in.oid(), in.oid()}); break;
    case CataloguePart::text_search: rows.text_search.push_back({in.text(), in.oids()}); break;
    case CataloguePart::conversions: rows.conversions.push_back({in.text(), in.oids()}); break;
  }
}

}  // namespace

class CatalogueBuilder::Impl {
 public:
  Impl(SafeNames safe, CatalogueLimits limits) : safe(std::move(safe)), limits(limits) {}
  SafeNames safe;
  CatalogueLimits limits;
  CatalogueRows rows;
  CatalogueRows system_rows;
  std::shared_ptr<const CatalogueRows> former_system;
  std::size_t row_count = 0, byte_count = 0;
};

CatalogueBuilder::CatalogueBuilder(SafeNames safe, CatalogueLimits limits)
    : impl_(std::make_unique<Impl>(std::move(safe), limits)) {}
CatalogueBuilder::~CatalogueBuilder() = default;

void CatalogueBuilder::reuse(const CatalogueSnapshot& former) { impl_->former_system = former.system_; }

Result<void> CatalogueBuilder::add(const CatalogueQuery& query, std::span<const Field> row) {
  ++impl_->row_count;
  for (const Field& field : row) impl_->byte_count += field ? field->size() : 0;
  if (impl_->row_count > impl_->limits.rows) {
    return Error(ErrorKind::Unavailable,
                 "the catalogue has more than CatalogueLimits::rows = " + std::to_string(impl_->limits.rows));
  }
  if (impl_->byte_count > impl_->limits.bytes) {
    return Error(ErrorKind::Unavailable,
                 "the catalogue is longer than CatalogueLimits::bytes = " + std::to_string(impl_->limits.bytes));
  }
  RowReader reader(row);
  read_row(query.owner == CatalogueOwner::system ? impl_->system_rows : impl_->rows, query.part, reader);
  if (!reader.ok()) {
    return Error(ErrorKind::Protocol, "a row of the catalogue (part " +
                                          std::to_string(static_cast<int>(query.part)) +
                                          ") is not what its question gives");
  }
  return {};
}

Result<std::shared_ptr<const CatalogueSnapshot>> CatalogueBuilder::finish() {
  auto system = impl_->former_system;
  if (!system) system = std::make_shared<const CatalogueRows>(std::move(impl_->system_rows));
  if (system->functions.empty() || system->operators.empty() || impl_->rows.types.empty() ||
      impl_->rows.server_encoding.empty()) {
    return Error(ErrorKind::Usage, "the catalogue was not read to its end");
  }
  return CatalogueJudgement(std::move(impl_->rows), std::move(system), impl_->safe).make();
}

}  // namespace switchyard::inline v0::sql
