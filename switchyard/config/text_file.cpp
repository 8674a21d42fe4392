#include <switchyard/config/text_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace switchyard::inline v0::config {
namespace {

Error file_error(const std::string& path, int number) {
  return Error(ErrorKind::Config,
               "can't read '" + path + "': " + std::error_code(number, std::generic_category()).message());
}

struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  if (path.find('\0') != std::string::npos) return file_error(path.substr(0, path.find('\0')), EINVAL);
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return file_error(path, errno);
  const Descriptor closer{fd};
  struct stat info{};
  if (::fstat(fd, &info) != 0) return file_error(path, errno);
  if (S_ISDIR(info.st_mode)) return file_error(path, EISDIR);
  std::string out;
  std::array<char, 16 * 1024> chunk;
  for (;;) {
    const ssize_t n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, errno);
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > kLongestFile) {
      return Error(ErrorKind::Config, "can't read '" + path + "': it is larger than " +
                                          std::to_string(kLongestFile) + " bytes, the limit for such a file");
    }
    out.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace switchyard::inline v0::config
