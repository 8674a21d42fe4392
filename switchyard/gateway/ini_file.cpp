#include <switchyard/gateway/ini_file.hpp>

#include <utility>

namespace switchyard::inline v0::gateway {
namespace {

constexpr int kMostIncludes = 10;
constexpr std::string_view kBlanks = " \t\r\f\v";

std::string_view trim(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

Error at(const std::string& place, std::string what) {
  return Error(ErrorKind::Config, place + ": " + std::move(what));
}

class Parser {
 public:
  explicit Parser(const ReadTextFile& read) : read_(read) {}

  Result<void> file(std::string_view text, std::string_view name, int depth) {
    int number = 0;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = trim(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      SY_TRY(this->line(line, std::string(name) + ":" + std::to_string(++number), depth));
    }
    return {};
  }

  std::vector<IniLine> lines;

 private:
  Result<void> line(std::string_view line, std::string place, int depth) {
    if (line.empty() || line.front() == ';' || line.front() == '#') return {};
    if (line.front() == '[') {
      if (line.back() != ']') return at(place, "a section is [NAME]");
      section_ = trim(line.substr(1, line.size() - 2));
      return {};
    }
    if (line.starts_with("%include")) return include(trim(line.substr(8)), place, depth);
    if (section_.empty()) return at(place, "a key stands outside of any section");
    SY_TRY(key_and_value(line, std::move(place)));
    return {};
  }

  Result<void> include(std::string_view path, const std::string& place, int depth) {
    if (path.empty()) return at(place, "%include needs the name of a file");
    if (depth == kMostIncludes) return at(place, "files include each other more than ten deep");
    const Result<std::string> text = read_(std::string(path));
    if (!text.ok()) return at(place, std::string(text.error().message()));
    return file(*text, path, depth + 1);
  }

  Result<void> key_and_value(std::string_view line, std::string place) {
    std::string key;
    if (line.front() == '"') {
      std::size_t i = 1;
      for (;; ++i) {
        if (i == line.size()) return at(place, "a quoted name does not end");
        if (line[i] == '"') {
          if (i + 1 == line.size() || line[i + 1] != '"') break;
          ++i;
        }
        key += line[i];
      }
      line = trim(line.substr(i + 1));
      if (!line.starts_with('=')) return at(place, "a line is KEY = VALUE");
    } else {
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos || equals == 0) return at(place, "a line is KEY = VALUE");
      key = trim(line.substr(0, equals));
      line.remove_prefix(equals);
    }
    lines.push_back({section_, std::move(key), std::string(trim(line.substr(1))), std::move(place)});
    return {};
  }

  const ReadTextFile& read_;
  std::string section_;
};

}  // namespace

Result<std::vector<IniLine>> parse_ini(std::string_view text, std::string_view name, const ReadTextFile& read) {
  Parser parser(read);
  SY_TRY(parser.file(text, name, 0));
  return std::move(parser.lines);
}

Result<std::vector<std::pair<std::string, std::string>>> parse_ini_parameters(const IniLine& line) {
  std::vector<std::pair<std::string, std::string>> out;
  std::string_view rest = trim(line.value);
  while (!rest.empty()) {
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return at(line.place, "'" + line.key + "' is not a list of key=value");
    std::string key(trim(rest.substr(0, equals)));
    if (key.empty() || key.find_first_of(kBlanks) != std::string::npos) {
      return at(line.place, "'" + line.key + "' is not a list of key=value");
    }
    rest = trim(rest.substr(equals + 1));
    std::string value;
    if (rest.starts_with('\'')) {
      std::size_t i = 1;
      for (;; ++i) {
        if (i >= rest.size()) return at(line.place, "the value of '" + key + "' does not end");
        if (rest[i] == '\'') {
          if (i + 1 == rest.size() || rest[i + 1] != '\'') break;
          ++i;
        }
        value += rest[i];
      }
      rest = trim(rest.substr(i + 1));
    } else {
      const std::size_t end = rest.find_first_of(kBlanks);
      value = rest.substr(0, end);
      rest = end == std::string_view::npos ? std::string_view() : trim(rest.substr(end));
    }
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

}  // namespace switchyard::inline v0::gateway
