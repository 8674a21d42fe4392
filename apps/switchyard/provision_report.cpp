// Reports of `provision audit`: kept, and compared with the one before.
#include "provision_view.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

namespace switchyard::cli {

namespace {

namespace fs = std::filesystem;
using provision::AuditFinding;

constexpr std::string_view kPrefix = "audit-";
constexpr std::string_view kSuffix = ".json";
/// A report of a hundred thousand findings.
constexpr std::uintmax_t kLargestReport = 64U << 20U;

Error unreadable(const fs::path& file, std::string_view why) {
  return Error(ErrorKind::Config, file.string() + " is no report of an audit: " + std::string(why))
      .with_hint("--report takes a folder, or a file of its own");
}

std::string text_of(const boost::json::object& object, std::string_view name) {
  const boost::json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string());
}

struct Kept {
  std::string date;
  std::vector<AuditFinding> findings;
};

Result<Kept> read(const fs::path& file) {
  std::error_code wrong;
  if (fs::file_size(file, wrong) > kLargestReport || wrong) return unreadable(file, "its size");
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const boost::json::value document = boost::json::parse(text, wrong);
  if (wrong || !document.is_object()) return unreadable(file, "it is no JSON object");
  const boost::json::value* findings = document.get_object().if_contains("findings");
  Kept kept{text_of(document.get_object(), "date"), {}};
  if (findings == nullptr || !findings->is_array() || kept.date.empty())
    return unreadable(file, "date and findings");
  for (const boost::json::value& one : findings->get_array()) {
    if (!one.is_object()) return unreadable(file, "a finding is no object");
    const boost::json::object& object = one.get_object();
    kept.findings.push_back({text_of(object, "server"), text_of(object, "database"), text_of(object, "rule"),
                             text_of(object, "object"), text_of(object, "text"), text_of(object, "fix")});
  }
  std::ranges::sort(kept.findings);
  return kept;
}

/// The latest report of a folder: their names are their dates.
std::optional<fs::path> latest(const fs::path& folder) {
  std::set<fs::path> all;
  std::error_code wrong;
  for (const auto& entry : fs::directory_iterator(folder, wrong)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) all.insert(entry.path());
  }
  if (all.empty()) return std::nullopt;
  return *all.rbegin();
}

}  // namespace

Result<std::string> keep_audit(AuditView& view, const std::string& path) {
  std::error_code wrong;
  const bool folder = path.ends_with('/') || fs::is_directory(path, wrong);
  if (folder) fs::create_directories(path, wrong);
  std::optional<fs::path> before = folder ? latest(path) : std::optional<fs::path>();
  if (!folder && fs::exists(path, wrong)) before = path;
  if (before) {
    auto kept = read(*before);
    if (!kept.ok()) return kept.error();
    view.compared_with = kept->date;
    std::ranges::set_difference(view.findings, kept->findings, std::back_inserter(view.fresh));
    std::ranges::set_difference(kept->findings, view.findings, std::back_inserter(view.gone));
  }
  std::string stamp = view.date;
  std::ranges::replace(stamp, ':', '-');
  const fs::path file =
      folder ? fs::path(path) / (std::string(kPrefix) + stamp + std::string(kSuffix)) : fs::path(path);
  const fs::path fresh = file.string() + ".tmp";
  {
    std::ofstream stream(fresh, std::ios::binary | std::ios::trunc);
    stream << audit_document(view);
    if (!stream.flush()) return Error(ErrorKind::Config, "can't write " + fresh.string());
  }
  fs::rename(fresh, file, wrong);
  if (wrong) return Error(ErrorKind::Config, "can't write " + file.string() + ": " + wrong.message());
  return file.string();
}

}  // namespace switchyard::cli
