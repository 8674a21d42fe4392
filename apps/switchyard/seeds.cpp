#include "seeds.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

namespace switchyard::cli {

namespace {

constexpr std::string_view kDemonstration = R"(
[fleet]
application = "demo"
server_type = "development"

[database.main]
[[database.main.replica]]
name = "reports"

[database.reference]
[database.analytics]
[database.documents]
[database.compliance]
)";

constexpr std::string_view kMain = R"(
CREATE TABLE customers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    country    char(2) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE orders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    total       numeric(12,2) NOT NULL,
    status      text NOT NULL CHECK (status IN ('open', 'paid', 'shipped')),
    ordered_at  timestamptz NOT NULL
);
CREATE INDEX ON orders (customer_id);
INSERT INTO customers (name, country, created_at)
SELECT (ARRAY['Nordwind','Aurora','Kestrel','Lumen','Harbour','Juniper','Meridian','Saffron','Tundra','Willow'])[1 + n % 10]
       || ' ' || (ARRAY['Traders','Logistics','Foods','Labs'])[1 + n / 10 % 4],
       (ARRAY['DE','FR','NL','PL','SE'])[1 + n % 5], timestamptz '2025-01-01 09:00+00' + n * interval '7 hours'
FROM generate_series(0, 39) n;
INSERT INTO orders (customer_id, total, status, ordered_at)
SELECT 1 + n * 7 % 40, (19 + n * 37 % 900) + 0.95, (ARRAY['open','paid','shipped'])[1 + n % 3],
       timestamptz '2025-03-01 08:00+00' + n * interval '53 minutes'
FROM generate_series(0, 999) n;
)";

constexpr std::string_view kReference = R"(
CREATE TABLE countries (code char(2) PRIMARY KEY, name text NOT NULL, currency char(3) NOT NULL);
INSERT INTO countries VALUES ('DE', 'Germany', 'EUR'), ('FR', 'France', 'EUR'), ('NL', 'Netherlands', 'EUR'),
                             ('PL', 'Poland', 'PLN'), ('SE', 'Sweden', 'SEK');
)";

constexpr std::string_view kAnalytics = R"(
CREATE TABLE page_views (day date NOT NULL, page text NOT NULL, views bigint NOT NULL, PRIMARY KEY (day, page));
INSERT INTO page_views
SELECT date '2025-03-01' + d, page, 100 + (d * 31 + length(page) * 17) % 400
FROM generate_series(0, 29) d, unnest(ARRAY['/', '/pricing', '/docs', '/blog']) page;
)";

constexpr std::string_view kDocuments = R"(
CREATE TABLE documents (
    id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title   text NOT NULL,
    tags    text[] NOT NULL DEFAULT '{}',
    content jsonb NOT NULL
);
INSERT INTO documents (title, tags, content) VALUES
    ('Price list', '{sales,2025}', '{"pages": 12, "language": "en"}'),
    ('Terms of delivery', '{legal}', '{"pages": 4, "language": "de"}'),
    ('Packing guide', '{logistics,howto}', '{"pages": 30, "language": "en", "draft": true}');
)";

constexpr std::string_view kCompliance = R"(
CREATE TABLE audit_trail (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL,
    actor  text NOT NULL,
    action text NOT NULL
);
INSERT INTO audit_trail (at, actor, action) VALUES
    ('2025-03-01 08:00+00', 'anna', 'signed in'),
    ('2025-03-01 08:05+00', 'anna', 'approved filing 17'),
    ('2025-03-02 10:30+00', 'bela', 'exported the audit trail');
)";

}  // namespace

Result<std::optional<Seed>> seed_beside(const std::string& config_file, std::string_view database) {
  if (config_file.empty()) return std::optional<Seed>();
  std::filesystem::path path(config_file);
  path.replace_extension();
  path /= std::string(database) + ".sql";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::optional<Seed>();
  std::ifstream file(path, std::ios::binary);
  Seed seed{{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}, path.string()};
  if (!file) return Error(ErrorKind::Config, "can't read " + path.string());
  return std::optional<Seed>(std::move(seed));
}

std::optional<Seed> demonstration_seed(std::string_view database) {
  const auto seed = [](std::string_view sql) { return Seed{std::string(sql), "the demonstration"}; };
  if (database == "main") return seed(kMain);
  if (database == "reference") return seed(kReference);
  if (database == "analytics") return seed(kAnalytics);
  if (database == "documents") return seed(kDocuments);
  if (database == "compliance") return seed(kCompliance);
  return std::nullopt;
}

std::string_view demonstration_config() noexcept { return kDemonstration; }

}  // namespace switchyard::cli
