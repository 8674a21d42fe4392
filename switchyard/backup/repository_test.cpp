// A repository holds whole backups and nothing else.
#include <switchyard/backup/backup_file.hpp>
#include <switchyard/backup/repository.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tests/support/temp_folder.hpp>

#include <filesystem>
#include <fstream>

namespace switchyard {
namespace {

using namespace backup;
using namespace std::chrono_literals;
using switchyard::testing::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Moment kNoon = Moment(std::chrono::seconds(1'795'000'000));

/// A backup of these databases, made at `moment`.
StoredBackup make(const Repository& repository, Moment moment, const std::vector<std::string>& databases) {
  Staging staging = repository.begin(moment).value_or_throw();
  Manifest manifest;
  manifest.started = manifest.finished = moment;
  for (const std::string& name : databases) {
    BackupPart& part = manifest.parts.emplace_back();
    part.database = name;
    part.moment = moment;
    for (auto [file, ending] : {std::pair{&part.dump, ".dump"}, {&part.fingerprint, ".fingerprint"}}) {
      auto writer = BackupFileWriter::create(staging.folder(), name + ending, {}).value_or_throw();
      writer.write("contents of " + name).value_or_throw();
      *file = writer.finish().value_or_throw();
    }
  }
  const auto folder = staging.commit(manifest).value_or_throw();
  return repository.find(folder.filename().string(), {}).value_or_throw();
}

std::vector<std::string> ids(const std::vector<StoredBackup>& all) {
  std::vector<std::string> names;
  for (const StoredBackup& one : all) names.push_back(one.id);
  return names;
}

TEST(Repository, ShowsABackupOnlyWhenItIsWhole) {
  const TempFolder folder;
  const Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  std::filesystem::path partial;
  {
    const Staging staging = repository.begin(kNoon).value_or_throw();
    partial = staging.folder();
    EXPECT_TRUE(std::filesystem::exists(partial));
    EXPECT_THAT(repository.list(), IsEmpty());
    EXPECT_THAT(repository.interrupted(), IsEmpty());  // its maker lives
  }
  EXPECT_FALSE(std::filesystem::exists(partial));
  make(repository, kNoon, {"main"});
  EXPECT_THAT(ids(repository.list()), ElementsAre("20261118T110640Z"));
}

TEST(Repository, RemovesWhatAKilledMakerLeft) {
  const TempFolder folder;
  const Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  std::filesystem::create_directories(repository.folder() / ".partial-20261118T000000Z");
  std::ofstream(repository.folder() / ".partial-20261118T000000Z/main.dump") << "half of it";
  EXPECT_THAT(repository.list(), IsEmpty());
  EXPECT_EQ(repository.interrupted().size(), 1U);
  EXPECT_THAT(repository.remove_interrupted(), ElementsAre(".partial-20261118T000000Z"));
  EXPECT_THAT(repository.interrupted(), IsEmpty());
}

TEST(Repository, TwoBackupsOfOneSecondHaveDifferentNames) {
  const TempFolder folder;
  const Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  make(repository, kNoon, {"main"});
  const Staging second = repository.begin(kNoon).value_or_throw();
  const Staging third = repository.begin(kNoon).value_or_throw();
  EXPECT_EQ(second.id(), "20261118T110640Z-2");
  EXPECT_EQ(third.id(), "20261118T110640Z-3");
}

TEST(Repository, NamesWhatIsDamaged) {
  const TempFolder folder;
  const Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  const StoredBackup whole = make(repository, kNoon, {"main"});
  const auto damage = [&] { return repository.list().front().damage; };
  EXPECT_EQ(damage(), "");

  std::filesystem::resize_file(whole.folder / "main.dump", 5);
  EXPECT_THAT(damage(), HasSubstr("main.dump has 5 bytes instead of 16"));
  EXPECT_THAT(std::string(repository.find("latest", "main").error().what()), HasSubstr("no backup of main"));
  std::filesystem::resize_file(whole.folder / "main.dump", 16);
  EXPECT_EQ(damage(), "");  // as long as before: only its checksum tells
  const auto checked = check_file(whole.folder, whole.manifest.parts.front().dump, {});
  ASSERT_FALSE(checked.ok());
  EXPECT_THAT(std::string(checked.error().message()), HasSubstr("SHA-256"));

  std::ofstream(whole.folder / "manifest.json", std::ios::app) << " ";
  EXPECT_THAT(damage(), HasSubstr("manifest was changed"));
  std::filesystem::remove(whole.folder / "manifest.json");
  EXPECT_THAT(damage(), HasSubstr("manifest.json can't be read"));
}

TEST(Repository, KeepsAProofWithItsBackup) {
  const TempFolder folder;
  const Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  const StoredBackup made = make(repository, kNoon, {"main"});
  Proof proof{kNoon, "18", {{.database = "main", .ok = false, .tables = 3, .rows = 9, .differences = {"one"}}}};
  repository.write_proof(made, proof).value_or_throw();
  auto read = repository.list().front().proof;
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->ok());
  EXPECT_THAT(read->parts.front().differences, ElementsAre("one"));
  proof.parts.front().ok = true;
  repository.write_proof(made, proof).value_or_throw();
  EXPECT_TRUE(repository.list().front().proof->ok());
}

TEST(Repository, CopiesWholeBackupsOnly) {
  const TempFolder folder;
  const Repository first = Repository::open(folder.file("first")).value_or_throw();
  const Repository second = Repository::open(folder.file("second")).value_or_throw();
  const StoredBackup made = make(first, kNoon, {"main", "reference"});
  second.copy_from(made, {}).value_or_throw();
  EXPECT_THAT(ids(second.list()), ElementsAre(made.id));
  EXPECT_EQ(second.list().front().damage, "");

  const StoredBackup other = make(first, kNoon + 1h, {"main"});
  std::ofstream(other.folder / "main.dump", std::ios::trunc) << "other contents!!";
  EXPECT_FALSE(second.copy_from(other, {}).ok());
  EXPECT_THAT(ids(second.list()), ElementsAre(made.id));
  EXPECT_THAT(second.interrupted(), IsEmpty());
}

TEST(Repository, RemovesNothingThatIsBeingRead) {
  const TempFolder folder;
  const Repository repository = Repository::open(folder.file("backups")).value_or_throw();
  const StoredBackup made = make(repository, kNoon, {"main"});
  {
    const auto reading = FolderLock::try_take(made.folder, FolderLock::Kind::shared);
    ASSERT_TRUE(reading);
    EXPECT_FALSE(repository.remove(made).ok());
  }
  EXPECT_TRUE(repository.remove(made).ok());
  EXPECT_THAT(repository.list(), IsEmpty());
}

TEST(Outdated, AreNeitherTheNewestNorTheNewestProvenOfAnyDatabase) {
  std::vector<StoredBackup> all;
  const auto add = [&](int days_ago, std::vector<std::string> databases, bool proven = false) {
    StoredBackup& one = all.emplace_back();
    one.manifest.started = kNoon - std::chrono::hours(24 * days_ago);
    one.id = "2026-" + std::to_string(900 - days_ago);
    if (proven) one.proof.emplace();
    for (const std::string& name : databases) {
      one.manifest.parts.push_back({.database = name, .moment = one.manifest.started});
      if (proven) one.proof->parts.push_back({.database = name, .ok = true});
    }
  };
  add(1, {"main"});
  add(29, {"main"});
  add(40, {"main", "reference"});  // the only one of reference
  add(50, {"main"}, true);         // the newest proven one of main
  add(60, {"main"}, true);
  add(70, {"main", "old"});  // old is kept for ever
  add(80, {"main"});
  const auto retention = [](const std::string& name) {
    return name == "old" ? Duration::zero() : Duration(30 * 24h);
  };
  EXPECT_THAT(ids(outdated(all, kNoon, retention)), ElementsAre("2026-840", "2026-820"));
  all[0].damage = "cut short";  // no comfort
  EXPECT_THAT(ids(outdated(all, kNoon, retention)), ElementsAre("2026-840", "2026-820"));
  all.erase(all.begin() + 1);
  EXPECT_THAT(ids(outdated(all, kNoon, retention)), ElementsAre("2026-840", "2026-820"));
}

TEST(BackupFile, NeverTakesThePlaceOfAnother) {
  const TempFolder folder;
  auto file = BackupFileWriter::create(folder.path(), "main.dump", {}).value_or_throw();
  EXPECT_TRUE(file.write("fits").ok());
  EXPECT_FALSE(BackupFileWriter::create(folder.path(), "main.dump", {}).ok());
}

}  // namespace
}  // namespace switchyard
