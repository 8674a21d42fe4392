#include <switchyard/config/problems.hpp>

#include <algorithm>

namespace switchyard::inline v0::config {

void Problems::add(std::string_view place, std::string_view what, std::string_view hint) {
  std::string text;
  if (!place.empty()) text += std::string(place) + ": ";
  text += what;
  if (!hint.empty()) text += " (" + std::string(hint) + ")";
  if (std::find(texts_.begin(), texts_.end(), text) == texts_.end()) texts_.push_back(std::move(text));
}

void Problems::add(std::string_view place, const Error& error) { add(place, error.message(), error.hint()); }

Error Problems::to_error() const {
  if (texts_.size() == 1) return Error(ErrorKind::Config, texts_.front());
  std::string message = std::to_string(texts_.size()) + " problems in the configuration:";
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    message += "\n  " + std::to_string(i + 1) + ". " + texts_[i];
  }
  return Error(ErrorKind::Config, std::move(message));
}

}  // namespace switchyard::inline v0::config
