// What `switchyard provision` shows.
#pragma once

#include "console.hpp"
#include "options.hpp"

#include <switchyard/provision/audit.hpp>
#include <switchyard/provision/provisioner.hpp>
#include <switchyard/provision/rotation.hpp>

#include <string>
#include <vector>

namespace switchyard::cli {

[[nodiscard]] std::string show_provision_plan(const std::vector<provision::ServerReport>& reports,
                                              const std::string& application, const GlobalOptions& global,
                                              const Console& console);
[[nodiscard]] std::string show_provision_apply(const std::vector<provision::ServerReport>& reports,
                                               const std::string& application, const GlobalOptions& global,
                                               const Console& console);
[[nodiscard]] std::string show_rotation(const std::vector<provision::RotationReport>& reports,
                                        const GlobalOptions& global, const Console& console);

/// Findings, and how they differ from those of an earlier report.
struct AuditView {
  std::string application, date;
  std::vector<provision::AuditFinding> findings;
  std::string compared_with;  ///< date of the earlier report; empty: there is none
  std::vector<provision::AuditFinding> fresh, gone;
};

[[nodiscard]] std::string show_audit(const AuditView& view, const GlobalOptions& global, const Console& console);

/// The document of `audit --report`: date, application, findings; of one fleet in one state always the same text
/// but for the date.
[[nodiscard]] std::string audit_document(const AuditView& view);
/// Compares with the report at `path` (or with the latest in the folder `path`), and writes the new one there: in
/// its place, or as audit-DATE.json. Gives the file's name. Config errors: it can't be read or written, or is none.
[[nodiscard]] Result<std::string> keep_audit(AuditView& view, const std::string& path);

}  // namespace switchyard::cli
