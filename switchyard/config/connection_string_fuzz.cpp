// Any text: parsing must not crash, errors and the redacted text must not hold the marked password.
#include <switchyard/config/connection_string.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto options = parse_connection_string(text);
  const std::string redacted = redact_connection_string(text);
  if (options.ok()) {
    const std::string& password = options->password.reveal();
    // A password that occurs once in the text must be gone from it, and never shows.
    if (password.size() >= 8 && text.find(password) == text.rfind(password)) {
      if (redacted.find(password) != std::string::npos) std::abort();
      if (options->display().find(password) != std::string::npos) std::abort();
    }
    // What is shown can be read again.
    (void)parse_connection_string(options->display());
  } else if (options.error().message().size() > 4096 && size < 1024) {
    std::abort();
  }
  return 0;
}
