// What one client is in the eyes of PostgreSQL, apart from the session it may use at the moment: its prepared
// statements, its settings, its transaction, the answers it waits for. No sockets, no clock: bytes go in from both
// sides, bytes come out for both.
//
//              wants_session()             attach()                     quiet()
//   without ───────────────────► waiting ────────────► with a session ────────────► may be detached
//      ▲                            │ refuse()            │  ▲                            │
//      └────────────────────────────┴─────────────────────┴──┴───────── detach() ◄────────┘
//
// Rules (docs/gateway.md says what a client can rely on):
// - A session is left only when nothing is outstanding, the transaction has ended, and nothing of the client that
// can't
//   be carried over is on it (claims, client_text.hpp). What may be there is asked of the server, in a query of the
//   gateway's own between two messages of the client.
// - What the gateway sends for itself has a query of its own; the client sees neither it nor its answer.
// - Nothing is sent that the client did not send and that could make something last: no Sync, no CopyDone, no
// COMMIT.
// - An answer that is not expected ends the session.
#pragma once

#include <switchyard/base/buffer.hpp>
#include <switchyard/base/error.hpp>
#include <switchyard/gateway/client_listening.hpp>
#include <switchyard/gateway/client_text.hpp>
#include <switchyard/gateway/interns.hpp>
#include <switchyard/gateway/lane_group.hpp>
#include <switchyard/gateway/session_state.hpp>
#include <switchyard/gateway/setting_sets.hpp>
#include <switchyard/gateway/wire_statement.hpp>
#include <switchyard/protocol/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace switchyard::inline v0::gateway {

struct ClientMemory;
class NotifySenders;

/// What clients of one database and role share.
struct SharedStatements {
  Interns& interns;
  SettingSets& sets;
  std::span<const std::string> harmless;  ///< functions of the user that leave nothing
  /// Statements that are kept prepared on one session.
  std::size_t max_prepared = 500;
  /// Unnamed statements are kept on the server as well.
  bool keeps_unnamed = false;
  /// Why a text may not run here, as the fleet's owner's map says; null: nobody looks.
  using Refusal = std::function<std::optional<ServerFields>(std::string_view sql)>;
  const Refusal* refuses = nullptr;
  /// Null: notifications carry the server's process ids.
  NotifySenders* senders = nullptr;
};

class ClientMachine {
 public:
  /// How it goes on.
  enum class State : std::uint8_t {
    running,
    goodbye,       ///< the client has said so
    no_memory,     ///< what is known of it and of its session may be wrong
    client_broke,  ///< the protocol: error() tells
    server_broke,  ///< likewise
  };

  /// `client_out` and what is shared outlive the machine. `id` is the process id that the client knows.
  ClientMachine(SharedStatements shared, base::WriteBuffer& client_out, std::uint32_t id,
                std::uint32_t max_message_size);
  ClientMachine(const ClientMachine&) = delete;
  ClientMachine& operator=(const ClientMachine&) = delete;

  /// Before the first message: what the startup packet asks for. Parameters are what the client has been told.
  void begin(SettingsRef startup, SettingsRef parameters);

  /// Consumes what can be dealt with now.
  void on_client(base::ReadBuffer& in) noexcept;
  /// Complete messages are in `in` that wait for something: wants_session(), or an answer of the server.
  [[nodiscard]] bool held() const noexcept { return held_; }
  [[nodiscard]] bool wants_session() const noexcept { return wants_session_; }

  // ---- shared lanes ----

  /// What `group` asks for, if it may run in a shared lane: no session is the client's and nothing is under way.
  /// False: it is for on_client(). The request holds until the machine is called again.
  [[nodiscard]] bool offer(const LaneGroup& group, WireRequest& request);
  /// The lane has taken what was offered.
  void shared(const LaneGroup& group);

  // ---- the session ----

  /// For what a session is his: until what he keeps there is gone, or for one statement outside of transactions, or
  /// one transaction, that reads. Behind its end nothing more is sent there: held() until he is detached.
  enum class Use : std::uint8_t { anything, one_statement, one_transaction };
  /// The session is the client's. `server_out` and `state` outlive the attachment.
  void attach(SessionState& state, base::WriteBuffer& server_out, std::int32_t server_pid, Use use = Use::anything);
  /// Requires a session.
  void on_server(base::ReadBuffer& in) noexcept;
  /// Everything that was asked has been answered, in no transaction. Queries of the gateway's own may follow: call
  /// settle(), once no cancel request is on its way.
  [[nodiscard]] bool settled() const noexcept;
  /// Asks the server what must be known before the session is left. Nothing happens when that is known.
  void settle() noexcept;
  /// settled(), and nothing is left to be asked, but claims may stand.
  [[nodiscard]] bool quiet() const noexcept;
  /// What keeps the client on its session; none: it may be detached when quiet().
  [[nodiscard]] Claim pins() const noexcept { return pins_; }
  /// Texts ran that are not understood yet; they pin until judge_again() has understood them.
  [[nodiscard]] bool unjudged() const noexcept { return !unjudged_.empty(); }
  void judge_again() noexcept;
  [[nodiscard]] std::vector<std::string> take_unjudged_texts() noexcept { return std::exchange(unjudged_, {}); }
  /// DISCARD ALL: nothing on the session is the client's any more, and whoever gets it has to reset it.
  [[nodiscard]] bool gives_up_session() const noexcept { return gives_up_; }
  void detach() noexcept;
  /// No session is to be had, or it can't be made the client's: what it sent is answered by this error.
  void refuse(ServerFields error);
  /// A query of the gateway's own failed, so that nobody knows what holds on the session: it must be closed.
  [[nodiscard]] bool spoilt() const noexcept { return spoilt_; }
  /// The catalogue has been changed since this was asked last.
  [[nodiscard]] bool take_catalogue_change() noexcept { return std::exchange(catalogue_changed_, false); }
  /// A cancel request goes to the server: what runs now may be hit, and nothing that follows.
  void fence() noexcept {
    if (state_ != nullptr) state_->fenced = true;
  }
  /// The server has said since this was asked last that tables have been moved away from it.
  [[nodiscard]] bool take_relocation() noexcept { return std::exchange(relocated_, false); }
  /// What the server has answered since this was asked last: queries and groups up to a Sync, those that ended
  /// outside of a transaction, those whose client has to keep its session.
  struct Answered {
    std::uint32_t queries = 0;
    std::uint32_t transactions = 0;
    std::uint32_t pinned = 0;
    bool wrote = false;  ///< one of the transactions may have written (watch_writes())
  };
  [[nodiscard]] Answered take_answered() noexcept { return std::exchange(answered_, {}); }
  /// The client waits for an answer of the server, to something that it has sent itself.
  [[nodiscard]] bool runs() const noexcept { return state_ != nullptr && own_ == Own::none && !state_->drained(); }

  // ---- reads that may go elsewhere ----

  /// Who uses currval() or lastval() keeps its session from then on.
  void keep_sequences() noexcept { keeps_sequences_ = true; }
  /// Answered::wrote is wanted.
  void watch_writes() noexcept { watches_writes_ = true; }
  /// The first message begins a transaction that only reads, and that any server of the database may have.
  [[nodiscard]] bool begins_read(ByteView messages) const;
  /// Statements outside of transactions may run at any server of the database, as far as its settings go.
  [[nodiscard]] bool may_move() const noexcept;
  /// default_transaction_read_only is on.
  [[nodiscard]] bool reads_by_default() const noexcept;
  /// What has been sent may be sent again, elsewhere, unless something of its answer is given to the client. `at`
  /// is where that begins in the client's output.
  void allow_again(std::size_t at) noexcept {
    again_ = Again::allowed;
    again_at_ = at;
  }
  void forbid_again() noexcept { again_ = Again::no; }
  [[nodiscard]] bool again_allowed() const noexcept { return again_ != Again::no; }
  /// It failed by what its server does besides (a conflict with recovery, its end), and nothing of it was answered.
  [[nodiscard]] bool wants_again() const noexcept { return again_ == Again::wanted; }

  // ---- LISTEN ----

  /// There is somebody who listens in place of its sessions (listen_hub.hpp).
  void use_hub() noexcept { hub_ = true; }
  /// What the hub has to be asked for: channels, or (none) to hear what was committed so far. on_hub() follows.
  /// Told once; nothing goes on before.
  [[nodiscard]] const std::vector<std::string>* take_hub_question() noexcept {
    return std::exchange(asks_hub_, false) ? &wanted_channels_ : nullptr;
  }
  /// It waits for that, and has nothing on its session that others could not have meanwhile.
  [[nodiscard]] bool spares_session() const noexcept;
  /// The hub has answered; `ready` false: it can't, and the client listens on its session.
  void on_hub(bool ready);
  /// Something came. False: more waits than may.
  [[nodiscard]] bool notify(std::int32_t server_pid, std::string_view channel, std::string_view payload);
  /// Tells the client what waits, if it may be told now. True: something was.
  bool deliver();
  [[nodiscard]] bool minds_hub() const noexcept { return asks_hub_ || listening_; }
  [[nodiscard]] std::size_t channels() const noexcept { return listening_ ? listening_->channels().size() : 0; }
  [[nodiscard]] bool listens() const noexcept { return listening_ && !listening_->idle(); }
  /// Channels that the hub need not have for it any more.
  [[nodiscard]] std::vector<std::string> take_left_channels() {
    return listening_ ? listening_->take_left() : std::vector<std::string>();
  }

  // ---- logging in ----

  /// Makes the settings of the startup packet hold on the session, and finds out their values. login_result() tells
  /// how it went once quiet().
  void log_in(SettingsRef startup);
  /// Null: there was none.
  [[nodiscard]] const ServerFields* own_error() const noexcept { return own_error_.get(); }
  [[nodiscard]] const SettingsRef& settings() const noexcept { return settings_; }
  [[nodiscard]] const SettingsRef& parameters() const noexcept { return parameters_; }

  // ---- another process ----

  /// Nothing of it is under way, here or on a session.
  [[nodiscard]] bool can_travel() const noexcept;
  /// Requires can_travel().
  [[nodiscard]] ClientMemory memory() const;
  /// Instead of begin().
  void recall(const ClientMemory& memory);

  // ---- what is known ----

  [[nodiscard]] State state() const noexcept { return end_; }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  /// Something it asked for is not answered yet, or a transaction is open.
  [[nodiscard]] bool busy() const noexcept { return runs() || group_open_ || status_ != 'I' || wants_session_; }
  [[nodiscard]] bool attached() const noexcept { return state_ != nullptr; }
  /// 'I', 'T' or 'E', as the client was told last.
  [[nodiscard]] char transaction_status() const noexcept { return status_; }
  /// The end of the session has been passed on in the server's words.
  [[nodiscard]] bool told_fatal() const noexcept { return told_fatal_; }
  /// Losing the session now is no loss.
  [[nodiscard]] bool survives_loss() const noexcept;
  /// A message of the server is being passed on in pieces.
  [[nodiscard]] bool inside_message() const noexcept { return rest_ != 0; }
  /// An error that says why, with which an unanswered client is told of the end.
  [[nodiscard]] std::size_t prepared_statements() const noexcept { return names_.size(); }

 private:
  enum class Own : std::uint8_t {
    none,
    log_in,
    replay,
    set_again,
    prove,
    read,
    ping,
    sequences,
    channels,     ///< on which the session listens
    unlisten,     ///< the hub does it
    show_listen,  ///< the session listens, so that it can be asked for its channels
    hub,          ///< no query: the hub was asked
  };
  enum class Skip : std::uint8_t { no, server, locally };
  /// Of Use::one_transaction: its BEGIN is bound, or its COMMIT, or they have run.
  enum class ReadStage : std::uint8_t { before, begins, inside, ends, behind };
  enum class Again : std::uint8_t { no, allowed, wanted };
  enum class Pass : std::uint8_t { pass, drop, rewrite_error, notification, broken };
  /// A name was given, changed or taken away by a step that is not answered yet.
  struct Change {
    std::uint64_t step;
    std::string name;
    bool unnamed;
    std::optional<InternRef> before;
    bool before_interned;
  };

  /// Without memory the client goes, and nobody else.
  template <class F>
  void guarded(F act) noexcept;
  void read_client(base::ReadBuffer& in);
  void read_server(base::ReadBuffer& in);
  void ask_server();
  void judge_texts();

  // Messages of the client. False: it has to wait.
  [[nodiscard]] bool on_message(const protocol::Frame& frame, ByteView message);
  [[nodiscard]] bool is_outside_read(const protocol::Frame& frame, ByteView message) const;
  void split_group();
  [[nodiscard]] bool split_text(const protocol::Frame& frame);
  void note_read_message(const protocol::Frame& frame);
  /// The text does not belong here: the server is sent one that fails in its place, so that everything behind it
  /// goes as after any error. False: it may run.
  [[nodiscard]] bool refused(std::string_view sql) const {
    return shared_.refuses != nullptr && (*shared_.refuses)(sql).has_value();
  }
  [[nodiscard]] bool on_refused(char type, std::string_view sql);
  [[nodiscard]] bool on_query(const protocol::Frame& frame, ByteView message);
  [[nodiscard]] bool on_parse(const protocol::Frame& frame, ByteView message);
  [[nodiscard]] bool on_bind(const protocol::Frame& frame, ByteView message);
  [[nodiscard]] bool on_describe(const protocol::Frame& frame, ByteView message);
  [[nodiscard]] bool on_close(const protocol::Frame& frame, ByteView message);
  /// Whether what is sent is all that the client sent as one.
  enum class Part : bool { no, yes };
  void on_sync(ByteView message, Part part = Part::no);
  void on_call(const protocol::Frame& frame, ByteView message);
  [[nodiscard]] bool on_text_verb(const ClientText& text, ByteView message, bool& done);
  [[nodiscard]] bool answer_without_session(const protocol::Frame& frame);
  [[nodiscard]] bool skip_message(const protocol::Frame& frame, ByteView message);
  void discard_all();
  void answer_command(std::string_view tag);
  void bad_message(const protocol::Frame& frame);

  [[nodiscard]] ClientText read(std::string_view sql) const;

  // To the server.
  void send(ByteView message) { server_out_->put(message); }
  void send_renamed(char type, ByteView before, std::string_view name, ByteView behind);
  void send_parse(const Intern& intern, std::string_view name);
  void expect(Step::Kind kind, InternRef intern = {});
  void expect_locally(Step::Kind kind);
  void begin_own(Own own, std::string_view sql);
  /// The statement is on the session, or on its way there. False: wait.
  [[nodiscard]] bool ensure(const InternRef& intern);
  void place_unnamed();
  void prepare(const InternRef& intern);
  void make_room();
  void stand_in(const std::string& name);
  void put_stand_in(const std::string& name);
  [[nodiscard]] bool own_sequences(const ClientText& text);
  void discard_sequences();
  [[nodiscard]] InternRef intern_of(ByteView body);
  [[nodiscard]] bool internable(const Intern& intern) const noexcept;

  // From the server.
  [[nodiscard]] Pass on_answer(const protocol::Frame& frame);
  [[nodiscard]] Pass on_own_answer(const protocol::Frame& frame);
  [[nodiscard]] Pass on_error_response(const protocol::Frame& frame);
  [[nodiscard]] Pass on_ready(const protocol::Frame& frame);
  void on_own_done();
  void on_part_done(const Step& step, char status);
  void on_parameter(const protocol::Frame& frame);
  void note_reported(std::string_view name, std::string_view value);
  void claim(Claim claims) noexcept;
  [[nodiscard]] bool await_hub(const ClientText& text);
  [[nodiscard]] bool show_channels(std::string_view sql);
  void show_statements(const ClientText& text);
  void hide_statements();
  void send_hidden_sync();
  void note_notify(const ClientText& text);
  [[nodiscard]] std::int32_t sender_of(std::int32_t server_pid) const noexcept;
  [[nodiscard]] bool moves_listens() const noexcept {
    return hub_ && listening_ && !native_listens_ && any(pins_ & Claim::listens) && !(shown_listens_ && held_);
  }
  void ask_channels();
  void on_channels();
  void release_ready();
  void on_copy_in();
  void note_command(ByteView body) noexcept;
  void note_columns(Intern& intern, ByteView body);
  void skip_to_sync();
  void advance();
  void pass_notification(const protocol::Frame& frame);
  void pass_error(const protocol::Frame& frame);
  void after_query(Step& step);
  void apply(const ClientText& text);
  enum class Tells : bool { no, yes };
  [[nodiscard]] bool set_again(char status, Tells tells);
  void tell_parameters(const SettingsRef& now);
  [[nodiscard]] std::string_view setting(std::string_view name) const noexcept;
  /// What a Bind runs; empty: not known here.
  [[nodiscard]] std::string_view text_of_bind(ByteView body) const;
  void become(SettingsRef settings);
  void ready(char status);
  void broken(std::string what);

  void change_name(std::string_view name, InternRef intern);
  void change_unnamed(InternRef intern, bool interned);
  void undo_changes(std::uint64_t from, std::uint64_t to);
  [[nodiscard]] bool uncertain(std::string_view name) const noexcept;
  [[nodiscard]] const InternRef* find_name(std::string_view name) const;
  [[nodiscard]] std::string client_name(std::string_view number) const;
  [[nodiscard]] bool rename(std::string& text) const;

  SharedStatements shared_;
  base::WriteBuffer& client_out_;
  const std::uint32_t id_;
  const std::uint32_t max_message_size_;

  SessionState* state_ = nullptr;
  base::WriteBuffer* server_out_ = nullptr;
  std::int32_t server_pid_ = 0;

  State end_ = State::running;
  char status_ = 'I';
  Skip skip_ = Skip::no;
  Own own_ = Own::none;
  Claim pins_ = Claim::none;
  bool logged_in_ = false;
  bool held_ = false;
  bool wants_session_ = false;
  bool group_open_ = false;  ///< messages of the extended protocol have been sent, and no Sync
  bool copy_in_ = false;
  bool fresh_ = false;    ///< somebody else had the session before
  bool recheck_ = false;  ///< what claims say may be wrong
  bool resets_all_ = false;
  bool gives_up_ = false;
  bool spoilt_ = false;
  bool told_fatal_ = false;
  bool catalogue_changed_ = false;
  bool unnamed_interned_ = false;
  bool escapes_ = false;     ///< standard_conforming_strings is off
  bool has_custom_ = false;  ///< settings of the application's own are among the client's
  bool keeps_sequences_ = false;
  bool asks_sequences_ = false;  ///< it has used currval or lastval
  bool watches_writes_ = false;
  bool wrote_ = false;  ///< in the transaction that is under way, perhaps
  Use use_ = Use::anything;
  bool used_ = false;  ///< the one read has ended
  ReadStage read_stage_ = ReadStage::before;
  std::size_t ran_ = 0;         ///< of the text of the first message: it is blank from now on
  bool drops_message_ = false;  ///< the first: what ran of it has failed
  Again again_ = Again::no;
  std::size_t again_at_ = 0;
  // LISTEN.
  bool hub_ = false;
  bool asks_hub_ = false;
  bool waits_for_hub_ = false;   ///< with a LISTEN
  bool native_listens_ = false;  ///< the session listens on what the hub does not know of
  bool shown_listens_ = false;
  // pg_prepared_statements.
  bool shows_statements_ =
      false;  ///< the session has the client's statements under the client's names, and no others
  std::vector<std::string> shown_names_;
  bool fences_ = false;         ///< NOTIFY is in the transaction
  bool notifies_ = false;       ///< something on this session may have been one
  std::int32_t asked_pid_ = 0;  ///< what pg_backend_pid() has said of late
  bool failed_ = false;         ///< an error is
  char end_tag_ = '\0';         ///< the first letter of its COMMIT or ROLLBACK
  std::unique_ptr<ClientListening> listening_;
  std::vector<std::string> wanted_channels_;
  Answered answered_;
  char held_ready_ = '\0';  ///< a ReadyForQuery that follows a query of our own
  std::size_t rest_ = 0;    ///< of a message of the server that is passed on in pieces
  bool rest_hidden_ = false;

  SettingsRef startup_;
  SettingsRef settings_;
  SettingsRef meaning_;  ///< of the settings those that a text may depend on
  SettingsRef parameters_;
  SettingsRef login_parameters_;
  std::unordered_map<std::string, InternRef> names_;  ///< null: SQL's PREPARE made it on the session itself
  InternRef unnamed_;
  InternRef offered_;
  InternRef bound_;  ///< to the unnamed portal
  std::vector<Change> changes_;
  std::vector<std::string> touched_;   ///< settings whose values are not known
  std::vector<std::string> reported_;  ///< settings that have changed and that no text named, folded
  std::vector<std::string> resets_;
  std::vector<std::string> stand_ins_;  ///< statements on the server for a DEALLOCATE of this group
  std::vector<std::string> unjudged_;
  std::vector<std::optional<std::string>> own_row_;
  // Large and rare: an idle client is small.
  std::unique_ptr<ServerFields> own_error_;
  std::unique_ptr<ServerFields> refusal_;
  bool relocated_ = false;
  std::shared_ptr<const ServerFields> refusal_told_;  ///< instead of the error that is being passed on
  std::string error_;
};

}  // namespace switchyard::inline v0::gateway
