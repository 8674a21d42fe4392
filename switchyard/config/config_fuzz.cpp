// Any fleet file: loading, explaining and rendering must not crash. Files that ${file:...} names are not read: the
// input may not mention them.
#include <switchyard/config/explain.hpp>
#include <switchyard/config/load.hpp>

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (std::string_view reader : {"file:", "service", "passfile"}) {
    if (text.find(reader) != std::string_view::npos) return 0;
  }
  Sources sources;
  sources.file = "fleet.toml";
  sources.file_text = std::string(text);
  sources.environment.variables = {{"POSTGRES_DSN", "postgresql://u:p@h/d"}, {"PG_REFERENCE_POOL_MAX_SIZE", "7"}};
  const auto fleet = load_config(sources);
  if (!fleet.ok()) return 0;
  const Explanation explanation = explain(*fleet);
  (void)to_text(explanation);
  (void)to_json(explanation);
  return 0;
}
