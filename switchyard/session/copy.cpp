#include <switchyard/session/copy.hpp>
#include <switchyard/session/session.hpp>

#include <utility>

namespace switchyard::inline v0 {
namespace {

/// A writer waits while more is unsent; a reader is paused while more waits to be taken.
constexpr std::size_t kMaxPending = 256 << 10;

/// Signature, flags and header extension of the binary format (manual, COPY, "Binary Format").
constexpr std::string_view kBinaryHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kBinaryTrailer("\377\377", 2);

}  // namespace

namespace session {

CopyState::CopyState() { script = true; }

void CopyState::on_describe(const std::shared_ptr<const protocol::RowDescription>& /*description*/) noexcept {
  note_error(Error(ErrorKind::Usage, "copy_in and copy_out take a COPY statement; this one returns rows"));
}

void CopyState::on_copy_in(const protocol::CopyFormat& format) noexcept {
  copying_in = true;
  binary = format.binary;
  changed.set();
}

void CopyState::on_copy_out(const protocol::CopyFormat& format) noexcept {
  copying_out = true;
  binary = format.binary;
  changed.set();
}

void CopyState::on_copy_data(ByteView data) noexcept {
  chunks.emplace_back(data);
  chunk_bytes += data.size();
  if (chunk_bytes > kMaxPending) session->pause_reading();
  changed.set();
}

void CopyState::on_drained() noexcept { changed.set(); }
void CopyState::on_finished() noexcept { changed.set(); }
void CopyState::recycle() noexcept { delete this; }
void CopyState::clear_result() noexcept {}

}  // namespace session

// ---- CopyIn ----

CopyIn::~CopyIn() {
  if (!state_ || !state_->begun || state_->finished()) return;
  // Without CopyDone nothing is copied. The session itself answers CopyFail for an abandoned COPY.
  state_->drop();
}

void CopyIn::start_rows() {
  if (message_.empty()) protocol::Pipeline::open_copy_data(message_);
  if (!rows_) message_.put(kBinaryHeader);
  rows_ = true;
}

Task<void> CopyIn::begin() {
  session::CopyState& state = *state_;
  if (!state.begun) {
    state.begun = true;
    state.start();
  }
  while (!state.copying_in && !state.finished()) {
    state.changed.reset();
    co_await state.changed.wait();
  }
  if (state.error()) throw *state.error();
  if (state.finished()) throw Error(ErrorKind::Usage, "the statement is not a COPY ... FROM STDIN");
  if (rows_ && !state.binary) {
    throw Error(ErrorKind::Usage, "row() needs a COPY with (FORMAT binary); use write() for other formats");
  }
}

Task<void> CopyIn::send() {
  session::CopyState& state = *state_;
  co_await begin();
  if (unencodable_ || message_.failed()) {
    throw Error(ErrorKind::Usage, "a value of this row can't be sent: text with a zero byte, or out of range");
  }
  const bool more_to_come = message_.size() >= kPiece;
  if (!message_.empty()) state.session->copy_data(message_);
  if (more_to_come && message_.capacity() < kMessage) {
    (void)message_.append(kMessage);
    message_.clear();
  }
  while (!state.finished() && state.session != nullptr && state.session->unsent() > kMaxPending) {
    state.changed.reset();
    co_await state.changed.wait();
  }
  if (state.error()) throw *state.error();
}

Task<std::uint64_t> CopyIn::finish() {
  session::CopyState& state = *state_;
  if (rows_) {
    if (message_.empty()) start_rows();
    message_.put(kBinaryTrailer);
  }
  co_await send();
  state.undecided = false;
  if (state.session != nullptr) state.session->copy_done();
  while (!state.finished()) {
    state.changed.reset();
    co_await state.changed.wait();
  }
  if (state.error()) throw *state.error();
  co_return state.affected;
}

// ---- CopyOut ----

CopyOut::~CopyOut() {
  if (state_ && state_->begun && !state_->finished()) state_->drop();
}

Task<std::optional<ByteView>> CopyOut::next() {
  session::CopyState& state = *state_;
  if (!state.begun) {
    state.begun = true;
    state.start();
  }
  while (state.chunks.empty() && !state.finished()) {
    state.changed.reset();
    co_await state.changed.wait();
  }
  if (state.chunks.empty()) {
    if (state.error()) throw *state.error();
    if (!state.copying_out) throw Error(ErrorKind::Usage, "the statement is not a COPY ... TO STDOUT");
    co_return std::nullopt;
  }
  current_ = std::move(state.chunks.front());
  state.chunks.pop_front();
  const bool was_full = state.chunk_bytes > kMaxPending;
  state.chunk_bytes -= current_.size();
  if (was_full && state.chunk_bytes <= kMaxPending && state.session != nullptr) state.session->resume_reading();
  co_return ByteView(current_);
}

}  // namespace switchyard::inline v0
