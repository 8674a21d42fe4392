#include <switchyard/sql/parse_document.hpp>

#include <switchyard/sql/analyse.hpp>
#include <switchyard/sql/expansion.hpp>

#include <pg_query.h>
#include <pthread.h>

#include <csignal>

namespace switchyard::inline v0::sql {

namespace {

Result<std::string> parse_one(const std::string& text) {
  if (text.size() > kMaxAnalysedText) {
    return Error(ErrorKind::Usage, "it is longer than " + std::to_string(kMaxAnalysedText >> 10) + " kB");
  }
  if (text.find('\0') != std::string::npos) return Error(ErrorKind::Usage, "it contains a NUL byte");
  if (expands_too_much(text.c_str())) return Error(ErrorKind::Usage, "its parse tree is too large");
  PgQueryParseResult answer = pg_query_parse(text.c_str());
  Result<std::string> result = answer.error != nullptr
                                   ? Result<std::string>(Error(ErrorKind::Usage, answer.error->message))
                                   : Result<std::string>(std::string(answer.parse_tree));
  pg_query_free_parse_result(answer);
  return result;
}

struct Work {
  const std::vector<std::string>& texts;
  std::vector<Result<std::string>> results;

  static void* run(void* self) {
    Work& work = *static_cast<Work*>(self);
    for (const std::string& text : work.texts) work.results.push_back(parse_one(text));
    return nullptr;
  }
};

}  // namespace

std::vector<Result<std::string>> parse_documents(const std::vector<std::string>& texts) {
  Work work{texts, {}};
  pthread_attr_t attributes;
  pthread_t thread{};
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  bool started = false;
  if (pthread_attr_init(&attributes) == 0) {
    pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited
    started = pthread_attr_setstacksize(&attributes, kAnalysisStack) == 0 &&
              pthread_create(&thread, &attributes, &Work::run, &work) == 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
  }
  if (started) {
    pthread_join(thread, nullptr);
  } else {
    work.results.assign(texts.size(), Error(ErrorKind::Usage, "there is no thread to parse it"));
  }
  return std::move(work.results);
}

}  // namespace switchyard::inline v0::sql
