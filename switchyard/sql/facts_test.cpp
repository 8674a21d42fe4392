// The facts of the statements in testdata/facts/*.txt.
//
// A case is a statement, a line "----", and the facts as text_of() writes them; an empty line ends it. Lines that
// begin with "##" are remarks. With SWITCHYARD_WRITE_FACTS set, the facts are written into the files instead: for
// new cases; read what was written.
#include <switchyard/sql/facts_text.hpp>
#include <switchyard/sql/parser.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace switchyard::sql {
namespace {

const std::filesystem::path kFolder = SWITCHYARD_SOURCE_DIR "/switchyard/sql/testdata/facts";

std::vector<std::filesystem::path> tables() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

struct Case {
  std::size_t line = 0;  ///< of the statement
  std::string statement;
  std::string expected;
};

/// A file's lines, each a remark or the end of what stands between, and its cases.
struct Table {
  struct Part {
    std::string text;  ///< lines that are kept as they are
    Case entry;        ///< line 0: none
  };
  std::vector<Part> parts;
};

Table read(const std::filesystem::path& file) {
  std::ifstream in(file);
  Table table;
  Case current;
  bool after_rule = false;
  std::size_t number = 0;
  const auto finish = [&] {
    if (current.line != 0) table.parts.push_back({{}, current});
    current = {};
    after_rule = false;
  };
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.starts_with("##")) {
      finish();
      table.parts.push_back({line + "\n", {}});
    } else if (!after_rule && line == "----") {
      if (current.line == 0) current.line = number;  // the empty statement
      after_rule = true;
    } else if (after_rule) {
      current.expected += line + "\n";
    } else {
      if (current.line == 0) current.line = number;
      if (!current.statement.empty()) current.statement += "\n";
      current.statement += line;
    }
  }
  finish();
  return table;
}

void write(const std::filesystem::path& file, const Table& table) {
  std::ofstream out(file);
  for (const auto& [text, entry] : table.parts) {
    if (entry.line == 0) {
      out << text;
    } else {
      out << entry.statement << (entry.statement.empty() ? "" : "\n") << "----\n"
          << text_of(Parser::of_process().analyse_now(entry.statement));
    }
  }
}

TEST(Facts, AreWhatTheTablesSay) {
  std::size_t cases = 0;
  for (const auto& file : tables()) {
    const Table table = read(file);
    if (std::getenv("SWITCHYARD_WRITE_FACTS") != nullptr) write(file, table);
    for (const auto& [text, entry] : table.parts) {
      if (entry.line == 0) continue;
      ++cases;
      const std::string facts = text_of(Parser::of_process().analyse_now(entry.statement));
      if (std::getenv("SWITCHYARD_WRITE_FACTS") != nullptr) continue;
      EXPECT_EQ(facts, entry.expected) << file.string() << ":" << entry.line << ": " << entry.statement;
    }
  }
  EXPECT_GT(cases, 0u);
}

}  // namespace
}  // namespace switchyard::sql
