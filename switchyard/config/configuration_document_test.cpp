// docs/configuration.md lists every key and variable that the code knows, and no others: its tables are compared
// with the key tables. SWITCHYARD_WRITE_DOCS=1 writes them instead.
#include <switchyard/config/key_table.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace switchyard {
namespace {

using namespace config;

constexpr const char* kDocument = SWITCHYARD_SOURCE_DIR "/docs/configuration.md";

std::string_view name_of(ValueKind kind) {
  switch (kind) {
    case ValueKind::text: return "text";
    case ValueKind::secret: return "secret text";
    case ValueKind::dsn: return "connection string";
    case ValueKind::flag: return "true or false";
    case ValueKind::count: return "whole number";
    case ValueKind::real: return "number";
    case ValueKind::duration: return "duration";
    case ValueKind::size: return "size";
    case ValueKind::choice: return "choice";
    case ValueKind::list: return "list of texts";
    case ValueKind::option: return "text or number";
  }
  return "";
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// The key as it stands inside its table of the file; fleet-level keys in full.
std::string shown(std::string_view path, std::string_view prefix) {
  return replaced(std::string(path.substr(prefix.size())), "*", "NAME");
}

std::string number(double value) {
  std::ostringstream out;
  out.precision(12);
  out << value;
  return out.str();
}

std::string key_table(std::string_view section) {
  constexpr std::string_view kReplica = "database.*.replica.*.";
  std::string out = "| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const KeySpec& key : key_specs()) {
    std::string_view own = "fleet", prefix;
    if (key.path.starts_with(kReplica)) {
      own = "replica";
      prefix = kReplica;
    } else if (key.path.starts_with("database.*.")) {
      own = "database";
      prefix = "database.*.";
    } else if (key.path.starts_with("server.*.")) {
      own = "server";
      prefix = "server.*.";
    }
    if (own != section) continue;
    std::string value(name_of(key.kind));
    if (key.kind == ValueKind::choice) value = "`" + replaced(std::string(key.choices), "|", "`, `") + "`";
    const bool numeric = key.kind == ValueKind::count || key.kind == ValueKind::real;
    if (numeric) value += ", " + number(key.min) + " to " + number(key.max);
    out += "| `" + shown(key.path, prefix) + "` | " + value + " | " + std::string(key.fallback) + " | " +
           std::string(key.meaning) + (key.effect == Effect::stored ? " (*stored*)" : "") + " |\n";
  }
  return out;
}

std::string variable_table() {
  std::string out = "| variable | key | meaning |\n|---|---|---|\n";
  for (const VariableSpec& v : variable_specs()) {
    out += "| `" + std::string(v.name) + "` | `" + replaced(std::string(v.key), "*", "NAME") + "` | " +
           std::string(v.meaning) + " |\n";
  }
  return out;
}

std::string with_table(const std::string& document, const std::string& marker, const std::string& table) {
  const std::string begin = "<!-- " + marker + " -->\n", end = "<!-- end -->";
  const std::size_t from = document.find(begin);
  const std::size_t to = from == std::string::npos ? from : document.find(end, from);
  if (to == std::string::npos) {
    ADD_FAILURE() << kDocument << " has no part " << marker;
    return document;
  }
  return document.substr(0, from + begin.size()) + table + document.substr(to);
}

TEST(ConfigurationDocument, ListsEveryKeyAndVariableAndNoOthers) {
  std::ifstream file(kDocument);
  const std::string document((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(document.empty()) << kDocument;
  std::string expected = with_table(document, "variables", variable_table());
  for (const char* section : {"fleet", "server", "database", "replica"}) {
    expected = with_table(expected, std::string("keys:") + section, key_table(section));
  }
  if (std::getenv("SWITCHYARD_WRITE_DOCS") != nullptr) {
    std::ofstream(kDocument) << expected;
    return;
  }
  EXPECT_EQ(document, expected) << "run SWITCHYARD_WRITE_DOCS=1 config_test "
                                   "--gtest_filter=ConfigurationDocument.* to write the tables";
}

TEST(KeyTable, PathsAreUniqueAndFindThemselves) {
  for (const KeySpec& key : key_specs()) {
    const std::string concrete = replaced(std::string(key.path), "*", "x");
    EXPECT_EQ(find_key(concrete), &key) << key.path;
  }
  EXPECT_EQ(find_key("database.x.nothing"), nullptr);
  EXPECT_TRUE(is_key_prefix("database.x.pool"));
  EXPECT_FALSE(is_key_prefix("database.x.pool.max"));
}

}  // namespace
}  // namespace switchyard
