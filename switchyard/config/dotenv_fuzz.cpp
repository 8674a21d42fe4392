// Any text: parsing must not crash; lines are inside the text.
#include <switchyard/config/dotenv.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = switchyard::config::parse_dotenv(text, ".env");
  if (!entries.ok()) return 0;
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  for (const auto& entry : *entries) {
    if (entry.name.empty() || entry.line < 1 || entry.line > lines) std::abort();
  }
  return 0;
}
