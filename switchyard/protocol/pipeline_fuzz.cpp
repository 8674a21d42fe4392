// A hostile server against the Pipeline, with steps submitted, abandoned and answered in any order. Whatever comes,
// each step that was submitted and not abandoned ends exactly once.
#include <switchyard/protocol/pipeline.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

using namespace switchyard;
using protocol::Pipeline;
using protocol::RowView;

volatile std::size_t g_seen = 0;

/// Reads everything it is given and counts the ends of its steps.
class CountingSink final : public protocol::ResponseSink {
 public:
  explicit CountingSink(bool group) : group_(group) {}
  int ends = 0;

  void on_parse_complete() noexcept override { ++ends; }
  void on_bind_complete() noexcept override { ++ends; }
  void on_close_complete() noexcept override { ++ends; }
  void on_parameter_description(std::span<const Oid> types) noexcept override {
    for (const Oid type : types) g_seen += type;
  }
  void on_row_description(std::shared_ptr<const protocol::RowDescription> description) noexcept override {
    for (const auto& field : description->fields()) read(field.name);
    if (!group_) ++ends;
  }
  void on_no_data() noexcept override { ++ends; }
  void on_row(RowView row) noexcept override {
    for (auto cursor = row.fields(); cursor.remaining() > 0;) read(cursor.next().bytes());
    read(row[row.count() / 2].bytes());
  }
  void on_command_complete(std::string_view tag) noexcept override {
    read(tag);
    if (!group_) ++ends;
  }
  void on_empty_query() noexcept override {
    if (!group_) ++ends;
  }
  void on_portal_suspended() noexcept override { ++ends; }
  void on_copy_in(const protocol::CopyFormat& format) noexcept override { g_seen += format.columns.size(); }
  void on_copy_out(const protocol::CopyFormat& format) noexcept override { g_seen += format.columns.size(); }
  void on_copy_data(ByteView data) noexcept override { read(data); }
  void on_error(const ServerFields& fields) noexcept override {
    read(fields.message);
    if (!group_) ++ends;
  }
  void on_skipped() noexcept override { ++ends; }
  void on_ready(char) noexcept override { ++ends; }
  void on_lost(const Error&) noexcept override { ++ends; }

 private:
  static void read(ByteView bytes) {
    for (const char c : bytes) g_seen += static_cast<unsigned char>(c);
  }
  bool group_;
};

void expect(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  base::WriteBuffer out;
  base::ReadBuffer in;
  protocol::SessionEvents events;
  Pipeline pipeline(out);
  CountingSink step(false);
  CountingSink group(true);
  CountingSink abandoned(false);
  int steps = 0;
  int groups = 0;
  const auto count = [](int& counter, Pipeline::Submitted result) { counter += result == Pipeline::Submitted::ok; };
  while (!input.empty()) {
    const auto op = static_cast<std::uint8_t>(input.front());
    input.remove_prefix(1);
    switch (op) {
      case 0: count(steps, pipeline.parse("", "SELECT 1", {}, &step)); break;
      case 1: count(steps, pipeline.bind("", "", {}, {}, &step)); break;
      case 2: count(steps, pipeline.describe_statement("", &step)); break;
      case 3: count(steps, pipeline.describe_portal("", &step)); break;
      case 4: count(steps, pipeline.execute("", 0, &step)); break;
      case 5: count(steps, pipeline.execute("", 1, &step, 1)); break;
      case 6: count(steps, pipeline.close_portal("", &step)); break;
      case 7: count(groups, pipeline.sync(&group)); break;
      case 8: count(groups, pipeline.query("SELECT 1", &group)); break;
      case 9: (void)pipeline.copy_data("x"); break;
      case 10: (void)pipeline.copy_done(); break;
      case 11: (void)pipeline.copy_fail("x"); break;
      case 12: (void)pipeline.flush(); break;
      case 13: (void)pipeline.execute("", 0, &abandoned); break;
      case 14: pipeline.abandon(&abandoned); break;
      default: {
        const std::size_t piece = std::min<std::size_t>(op, input.size());
        std::memcpy(in.prepare(piece + 1), input.data(), piece);
        in.commit(piece);
        input.remove_prefix(piece);
        (void)pipeline.on_bytes(in, events);
        expect(pipeline.need() >= 1);
      }
    }
  }
  pipeline.abandon(&abandoned);
  pipeline.on_closed(Error(ErrorKind::Closed, "closed"));
  expect(pipeline.outstanding() == 0);
  expect(step.ends == steps);
  expect(group.ends == groups);
  return 0;
}
