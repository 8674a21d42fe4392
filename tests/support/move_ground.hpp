// Two databases, and a mover between them.
#pragma once

#include <switchyard/config/load.hpp>
#include <switchyard/embedded/test_cluster.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/move/mover.hpp>
#include <switchyard/runtime/shard.hpp>
#include <switchyard/schema/catalogue_image.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace switchyard::testing {

class MoveGround {
 protected:
  explicit MoveGround(const char* sql) : main(embedded::TestDatabase::with(sql)) {}

  /// One run of a program that moves: `body(Fleet&, Mover&)`.
  template <class F>
  void with_mover(F body) {
    Sources sources;
    sources.file = "test.toml";
    sources.file_text = "[fleet]\napplication = \"test\"\n[database.main]\ndsn = \"" + main.endpoint().uri() +
                        "\"\n[database.other]\ndsn = \"" + other.endpoint().uri() + "\"\n";
    const FleetConfig fleet = load_config(sources).value_or_throw();
    runtime::Shard shard;
    shard.run_until_complete(
        [](FleetConfig config, std::string begin, std::string end, move::MoveOptions with, F work) -> Task<void> {
          auto open = Fleet::open(std::move(config)).value_or_throw();
          move::Mover mover(*open, begin, end, std::move(with));
          std::exception_ptr failure;
          try {
            co_await work(*open, mover);
          } catch (...) {
            failure = std::current_exception();
          }
          co_await open->close(std::chrono::seconds(1));
          if (failure) std::rethrow_exception(failure);
        }(move::move_config(fleet, from, to).value_or_throw(), from, to, options, std::move(body)));
  }
  using Verb = Task<move::MoveReport> (move::Mover::*)();
  move::MoveReport run(Verb verb = &move::Mover::run) {
    move::MoveReport report;
    with_mover([&](Fleet&, move::Mover& mover) -> Task<void> { report = co_await (mover.*verb)(); });
    return report;
  }
  /// What a run fails with.
  std::string failure(Verb verb = &move::Mover::run) {
    try {
      run(verb);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
  /// Everything in a schema, with who owns it and may use it.
  schema::CatalogueImage image(const std::string& database, const std::string& schema) {
    schema::CatalogueImage out;
    with_mover([&](Fleet& fleet, move::Mover&) -> Task<void> {
      DatabaseHandle handle = fleet.database(database).value_or_throw();
      out = co_await schema::read_catalogue(handle, schema, "no_history", schema::Rights::compared);
    });
    return out;
  }
  /// But for what a move has there.
  static void expect_same(const schema::CatalogueImage& expected, const schema::CatalogueImage& found) {
    for (const schema::Drift& drift : schema::compare(expected, found)) {
      if (drift.object.find("switchyard_") != std::string::npos) continue;
      ADD_FAILURE() << drift.object << ": " << drift.expected << " | " << drift.found;
    }
  }

  std::string from = "main", to = "other";
  move::MoveOptions options;
  embedded::TestDatabase main;
  embedded::TestDatabase other;
};

}  // namespace switchyard::testing
