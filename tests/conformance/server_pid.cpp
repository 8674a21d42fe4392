// Preloaded into PostgreSQL's isolationtester: libpq's process id of a connection is the one that the key for
// cancel requests names, which a gateway makes up; who waits for whom is asked by the server's. So each connection
// has to stay on its session, which LOAD makes it do.
#include <libpq-fe.h>

#include <cstdlib>

extern "C" int PQbackendPID(const PGconn* connection) {
  auto* asked = const_cast<PGconn*>(connection);
  PQclear(PQexec(asked, "LOAD 'plpgsql'"));
  PGresult* result = PQexec(asked, "SELECT pg_catalog.pg_backend_pid()");
  const int pid = PQntuples(result) == 1 ? std::atoi(PQgetvalue(result, 0, 0)) : 0;
  PQclear(result);
  return pid;
}
