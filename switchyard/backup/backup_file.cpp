#include <switchyard/backup/backup_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace switchyard::inline v0::backup {

namespace {

constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kMostWhole = 256 << 20;

Error file_error(const std::string& verb, const std::string& path, int number) {
  Error error(ErrorKind::Unavailable,
              "can't " + verb + " " + path + ": " + std::generic_category().message(number));
  if (number == ENOSPC || number == EDQUOT) return error.with_hint("make room there, or give another repository");
  return error;
}

}  // namespace

// --- writing

Result<BackupFileWriter> BackupFileWriter::create(const std::filesystem::path& folder, const std::string& name,
                                                  const std::vector<AgeRecipient>& recipients) {
  const std::string full = recipients.empty() ? name : name + std::string(kEncryptedEnding);
  const std::string path = (folder / full).string();
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return file_error("write", path, errno);
  BackupFileWriter writer(full, path, descriptor);
  if (!recipients.empty()) {
    std::string header;
    auto encryptor = AgeEncryptor::begin(recipients, header);
    if (!encryptor.ok()) return encryptor.error();
    writer.encryptor_.emplace(std::move(*encryptor));
    SY_TRY(writer.put(header));
  }
  return writer;
}

BackupFileWriter::BackupFileWriter(BackupFileWriter&& other) noexcept
    : name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      bytes_(other.bytes_),
      hash_(std::move(other.hash_)),
      encryptor_(std::move(other.encryptor_)) {}

BackupFileWriter::~BackupFileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> BackupFileWriter::put(std::string_view bytes) {
  hash_.update(bytes);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> BackupFileWriter::write(std::string_view bytes) {
  if (!encryptor_) return put(bytes);
  sealed_.clear();
  SY_TRY(encryptor_->write(bytes, sealed_));
  return put(sealed_);
}

Result<StoredFile> BackupFileWriter::finish() {
  if (encryptor_) {
    sealed_.clear();
    SY_TRY(encryptor_->finish(sealed_));
    SY_TRY(put(sealed_));
  }
  if (::fsync(descriptor_) != 0) return file_error("write", path_, errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) return file_error("write", path_, errno);
  return StoredFile{name_, bytes_, hash_.finish()};
}

// --- reading

Result<BackupFileReader> BackupFileReader::open(const std::filesystem::path& path,
                                                const std::vector<AgeIdentity>& identities) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return file_error("read", path.string(), errno);
  BackupFileReader reader(path.string(), descriptor);
  if (path.string().ends_with(kEncryptedEnding)) {
    if (identities.empty()) {
      return Error(ErrorKind::Config, path.filename().string() + " is encrypted, and there is no key to open it")
          .with_hint("give it with --identity-file FILE, or set backup.identity = \"${file:...}\"");
    }
    reader.decryptor_.emplace(identities);
  }
  return reader;
}

BackupFileReader::BackupFileReader(BackupFileReader&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      ended_(other.ended_),
      decryptor_(std::move(other.decryptor_)),
      piece_(std::move(other.piece_)) {}

BackupFileReader::~BackupFileReader() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> BackupFileReader::read(std::string& out) {
  const std::size_t before = out.size();
  while (!ended_ && out.size() == before) {
    piece_.resize(kPiece);
    const ssize_t got = ::read(descriptor_, piece_.data(), piece_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path_, errno);
    ended_ = got == 0;
    const std::string_view piece = std::string_view(piece_).substr(0, static_cast<std::size_t>(got));
    if (!decryptor_) {
      out += piece;
      continue;
    }
    auto opened = ended_ ? decryptor_->finish(out) : decryptor_->write(piece, out);
    if (!opened.ok()) {
      return opened.error().with_context(std::filesystem::path(path_).filename().string());
    }
  }
  return {};
}

Result<void> check_file(const std::filesystem::path& folder, const StoredFile& file, const std::stop_token& stop) {
  const std::string path = (folder / file.name).string();
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) {
    return Error(ErrorKind::Protocol, file.name + " is missing")
        .with_hint("this backup is damaged; use another one");
  }
  if (descriptor < 0) return file_error("read", path, errno);
  Sha256 hash;
  std::uint64_t size = 0;
  std::string piece(kPiece, '\0');
  Result<void> outcome;
  for (;;) {
    if (stop.stop_requested()) {
      outcome = Error(ErrorKind::Cancelled, "interrupted");
      break;
    }
    const ssize_t got = ::read(descriptor, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) outcome = file_error("read", path, errno);
    if (got <= 0) break;
    hash.update(std::string_view(piece).substr(0, static_cast<std::size_t>(got)));
    size += static_cast<std::uint64_t>(got);
  }
  ::close(descriptor);
  if (!outcome.ok()) return outcome;
  const char* hint = "this backup is damaged; use another one, or the copy in the second repository";
  if (size != file.bytes) {
    return Error(ErrorKind::Protocol, file.name + " is damaged: it has " + std::to_string(size) +
                                          " bytes instead of " + std::to_string(file.bytes))
        .with_hint(hint);
  }
  if (hash.finish() != file.sha256) {
    return Error(ErrorKind::Protocol, file.name + " is damaged: its SHA-256 is not the one in the manifest")
        .with_hint(hint);
  }
  return {};
}

Result<std::string> read_whole(const std::filesystem::path& path, const std::vector<AgeIdentity>& identities) {
  auto reader = BackupFileReader::open(path, identities);
  if (!reader.ok()) return reader.error();
  std::string all;
  for (;;) {
    const std::size_t before = all.size();
    SY_TRY(reader->read(all));
    if (all.size() == before) return all;
    if (all.size() > kMostWhole) {
      return Error(ErrorKind::Protocol, path.string() + " is longer than 256 MB, which it can't be");
    }
  }
}

}  // namespace switchyard::inline v0::backup
