// The few words of PostgreSQL's protocol that this room needs to set its own servers up: connect over the Unix
// socket as a trusted user, run SQL text, read the answer as text. Blocking, with deadlines.
//
// Applications use the session room; this exists so that `embedded` depends on nothing but `base`, and on no psql.
#pragma once

#include <switchyard/base/result.hpp>
#include <switchyard/base/time.hpp>
#include <switchyard/embedded/sql_result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::inline v0::embedded {

class ControlSession {
 public:
  /// Connects and waits until the server is ready for a query.
  [[nodiscard]] static Result<ControlSession> connect(const std::string& socket_file, std::string_view user,
                                                      std::string_view database, TimePoint deadline);
  ControlSession(ControlSession&& other) noexcept;
  ControlSession& operator=(ControlSession&&) = delete;
  ~ControlSession();

  /// Runs one or more statements (the simple query protocol). The rows are those of the last statement that
  /// returned any. After an error other than Server the session is unusable.
  [[nodiscard]] Result<SqlResult> execute(std::string_view sql, TimePoint deadline);

 private:
  explicit ControlSession(int socket) noexcept : socket_(socket) {}
  Result<void> send_all(std::string_view bytes, TimePoint deadline);
  Result<void> receive_exactly(std::size_t count, std::string& out, TimePoint deadline);
  Result<char> receive_message(std::string& body, TimePoint deadline);

  int socket_;
};

}  // namespace switchyard::inline v0::embedded
