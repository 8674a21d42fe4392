// expect: success
#include <switchyard/base/result.hpp>
#include <switchyard/base/secret.hpp>

switchyard::Result<int> answer();

int use() {
  const auto result = answer();
  const switchyard::Secret secret("hunter2");
  return result ? *result + static_cast<int>(secret.reveal().size()) : 0;
}
