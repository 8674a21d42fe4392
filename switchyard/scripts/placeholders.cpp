#include <switchyard/scripts/placeholders.hpp>

#include <switchyard/base/ascii.hpp>
#include <switchyard/base/suggest.hpp>

#include <algorithm>
#include <vector>

namespace switchyard::inline v0::scripts {

namespace {

std::string line_of(std::string_view text, std::size_t at) {
  return "line " +
         std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

std::string as_it_stands(const PlaceholderMarks& marks) {
  return "placeholderReplacement=false in the script's .conf if " + marks.prefix + "..." + marks.suffix +
         " is meant as it stands";
}

Error no_end(std::string_view text, std::size_t at, const PlaceholderMarks& marks) {
  return Error(ErrorKind::Config, line_of(text, at) + ": a placeholder begins with " + marks.prefix +
                                      " and has no " + marks.suffix + " behind it")
      .with_hint("end it; or " + as_it_stands(marks));
}

Error no_value(std::string_view text, std::size_t at, std::string_view name, const Placeholders& values,
               const PlaceholderMarks& marks) {
  std::vector<std::string_view> known;
  for (const auto& [key, value] : values) known.emplace_back(key);
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) {
    hint = "give one: --placeholder " + std::string(name) + "=..., or migrations.placeholders." +
           std::string(name) + "; or " + as_it_stands(marks);
  }
  return Error(ErrorKind::Config, line_of(text, at) + ": no value for the placeholder " + marks.prefix +
                                      std::string(name) + marks.suffix)
      .with_hint(std::move(hint));
}

}  // namespace

bool AnyCase::operator()(std::string_view a, std::string_view b) const noexcept {
  return std::ranges::lexicographical_compare(a, b, {}, base::to_lower, base::to_lower);
}

Result<std::string> replace_placeholders(std::string_view text, const Placeholders& values,
                                         const PlaceholderMarks& marks) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  for (;;) {
    const std::size_t begin = text.find(marks.prefix, at);
    const std::size_t name_at = begin + marks.prefix.size();
    if (begin == std::string_view::npos) return out.append(text.substr(at));
    const std::size_t end = text.find(marks.suffix, name_at);
    if (end == std::string_view::npos) return no_end(text, begin, marks);
    out.append(text.substr(at, begin - at));
    const std::string_view name = text.substr(name_at, end - name_at);
    const auto value = values.find(name);
    if (value == values.end()) return no_value(text, begin, name.substr(0, 100), values, marks);
    out.append(value->second);
    at = end + marks.suffix.size();
  }
}

}  // namespace switchyard::inline v0::scripts
