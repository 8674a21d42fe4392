#include <switchyard/fleet/catalogue_reading.hpp>

#include <switchyard/session/operation.hpp>
#include <switchyard/sql/catalogue_builder.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::inline v0::fleet {
namespace {

using Row = std::vector<std::optional<std::string_view>>;

void copy_fields(protocol::RowView row, Row& out) {
  out.clear();
  for (protocol::FieldCursor fields = row.fields(); fields.remaining() > 0;) {
    const protocol::FieldView field = fields.next();
    if (field.is_null()) {
      out.emplace_back(std::nullopt);
    } else {
      out.emplace_back(std::in_place, field.data, static_cast<std::size_t>(field.size));
    }
  }
}

std::span<const sql::CatalogueQuery> questions(bool without_system) {
  const auto all = sql::catalogue_queries();
  const auto first = std::ranges::find(all, sql::CatalogueOwner::anybody, &sql::CatalogueQuery::owner);
  return without_system ? std::span(first, all.end()) : all;
}

CatalogueDigest digest_of(const Row& row) {
  const auto text = [&](std::size_t i) { return std::string(i < row.size() ? row[i].value_or("") : ""); };
  return {.catalogue = text(0), .system = text(1), .settings = text(2)};
}

class DigestState final : public session::ResultState<CatalogueDigest> {
 public:
  CatalogueDigest take() override { return std::move(digest_); }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept override {}
  void on_row(protocol::RowView row) noexcept override {
    Row fields;
    copy_fields(row, fields);
    digest_ = digest_of(fields);
  }

 private:
  void recycle() noexcept override { delete this; }
  void clear_result() noexcept override { digest_ = {}; }
  CatalogueDigest digest_;
};

/// The digest and then every question in one script: each result is announced by its description.
class ReadingState final : public session::ResultState<CatalogueReading> {
 public:
  ReadingState(sql::SafeNames safe, std::shared_ptr<const sql::CatalogueSnapshot> former)
      : safe_(std::move(safe)), former_(std::move(former)), queries_(questions(former_ != nullptr)) {
    std::string& sql = parts.front().sql;
    sql = sql::kCatalogueBegin;
    sql.append("; ").append(sql::catalogue_digest_sql());
    for (const sql::CatalogueQuery& query : queries_) sql.append("; ").append(query.sql);
    sql.append("; COMMIT");
    start_over();
  }

  CatalogueReading take() override { return std::move(reading_); }
  void on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept override {
    ++results_;
  }
  void on_row(protocol::RowView row) noexcept override {
    copy_fields(row, fields_);
    if (results_ == 1) {
      reading_.digest = digest_of(fields_);
    } else if (results_ >= 2 && results_ - 2 < queries_.size() && !error()) {
      const Result<void> added = builder_->add(queries_[results_ - 2], fields_);
      if (!added.ok()) note_error(added.error());
    }
  }

 private:
  void start_over() {
    results_ = 0;
    reading_ = {};
    builder_.emplace(safe_);
    if (former_) builder_->reuse(*former_);
  }
  void recycle() noexcept override { delete this; }
  void clear_result() noexcept override { start_over(); }
  void check_result() noexcept override {
    auto snapshot = builder_->finish();
    if (snapshot.ok()) {
      reading_.snapshot = std::move(*snapshot);
    } else {
      note_error(snapshot.error());
    }
  }

  const sql::SafeNames safe_;
  const std::shared_ptr<const sql::CatalogueSnapshot> former_;
  const std::span<const sql::CatalogueQuery> queries_;
  std::optional<sql::CatalogueBuilder> builder_;
  std::size_t results_ = 0;
  Row fields_;
  CatalogueReading reading_;
};

template <class T>
Operation<T> ask(session::OperationHost& host, session::OperationPtr<session::ResultState<T>> state) {
  state->host = &host;
  state->script = true;
  state->keeps_session_clean = true;
  state->read_only = true;
  return Operation<T>(std::move(state));
}

/// What a querier runs its reads on.
class Opened : public Querier {
 public:
  static session::OperationHost& host_of(const Querier& querier) { return (querier.*&Opened::read_host)(); }
};

}  // namespace

Task<Result<CatalogueDigest>> ask_catalogue_digest(session::OperationHost& session) {
  session::OperationPtr<session::ResultState<CatalogueDigest>> state(new DigestState);
  state->parts.front().sql = sql::catalogue_digest_sql();
  co_return co_await ask(session, std::move(state)).result();
}

Task<Result<CatalogueReading>> read_catalogue(session::OperationHost& session, sql::SafeNames safe,
                                              std::shared_ptr<const sql::CatalogueSnapshot> former) {
  session::OperationPtr<session::ResultState<CatalogueReading>> state(
      new ReadingState(std::move(safe), std::move(former)));
  co_return co_await ask(session, std::move(state)).result();
}

Task<Result<CatalogueReading>> read_catalogue(Querier& lease, sql::SafeNames safe) {
  co_return co_await read_catalogue(Opened::host_of(lease), std::move(safe), nullptr);
}

}  // namespace switchyard::inline v0::fleet
