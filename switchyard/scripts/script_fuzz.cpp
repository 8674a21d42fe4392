// Any text: splitting must not crash; statements lie in the text, in order, and are no longer than it.
#include <switchyard/scripts/checksum.hpp>
#include <switchyard/scripts/file_name.hpp>
#include <switchyard/scripts/placeholders.hpp>
#include <switchyard/scripts/script.hpp>
#include <switchyard/scripts/script_config.hpp>
#include <switchyard/scripts/script_header.hpp>
#include <switchyard/scripts/statement_kind.hpp>
#include <switchyard/scripts/text_encoding.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard::scripts;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(flyway_checksum(text));
  static_cast<void>(read_header(text));
  static_cast<void>(parse_script_config(text));
  for (const char* encoding : {"UTF-8", "US-ASCII", "ISO-8859-1", "windows-1252", "UTF-16", "UTF-16LE"}) {
    const auto decoded = decode(text, encoding);
    if (decoded.ok() && !decode(*decoded).ok()) std::abort();  // what comes out is UTF-8
  }
  static_cast<void>(replace_placeholders(text, {{"a", "b"}}));
  if (const auto name = parse_file_name(text); name.ok() && *name && (*name)->version) {
    const auto again = MigrationVersion::parse((*name)->version->text());
    if (!again.ok() || *again != *(*name)->version) std::abort();
  }
  const auto statements = split_script(text);
  if (!statements.ok()) return 0;
  const char* from = text.data();
  std::size_t line = 1;
  for (const ScriptStatement& one : *statements) {
    if (one.sql.empty() || one.sql.data() < from || one.sql.data() + one.sql.size() > text.data() + size)
      std::abort();
    if (one.line < line) std::abort();
    line = one.line;
    from = one.sql.data() + one.sql.size();
    static_cast<void>(kind_of(one.sql));
    static_cast<void>(index_of(one.sql));
    static_cast<void>(indexed_table(one.sql));
  }
  return 0;
}
