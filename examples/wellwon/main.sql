-- What the examples need of WellWon's main database: accounts, companies, declarations.

CREATE TABLE companies (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name             text NOT NULL,
    inn              varchar(20) UNIQUE,
    reference_org_id integer,                 -- dc_common_orgs.id in the reference database
    created_at       timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_accounts (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email      text UNIQUE NOT NULL,
    username   text NOT NULL,
    company_id uuid REFERENCES companies,
    is_active  boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE customs_declarations (
    id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    declaration_number     varchar(40) UNIQUE,
    company_id             uuid REFERENCES companies,
    user_id                uuid REFERENCES user_accounts,
    gf_code                varchar(20),
    document_mode_id       varchar(20),
    declaration_type       varchar(10),
    customs_procedure_code varchar(10),
    form_name              text,
    customs_office_code    varchar(20),
    customs_office_name    text,              -- copied when the declaration is created
    created_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON customs_declarations (company_id);

INSERT INTO companies (id, name, inn, reference_org_id) VALUES
    ('6f1c8a52-3d0e-4b1f-9a7e-000000000001', 'ООО Северный путь', '7701234567', 1),
    ('6f1c8a52-3d0e-4b1f-9a7e-000000000002', 'ООО Восток Импорт', '7707654321', 2);

INSERT INTO user_accounts (id, email, username, company_id) VALUES
    ('0b9e7d14-52c3-4e6a-8f21-000000000001', 'user@example.com', 'user', '6f1c8a52-3d0e-4b1f-9a7e-000000000001'),
    ('0b9e7d14-52c3-4e6a-8f21-000000000002', 'declarant@example.com', 'declarant', '6f1c8a52-3d0e-4b1f-9a7e-000000000002');

-- The last office is unknown to the reference database: an application-level join says "Unknown".
INSERT INTO customs_declarations (declaration_number, company_id, user_id, gf_code, document_mode_id, declaration_type,
                                  customs_procedure_code, customs_office_code, created_at)
VALUES
    ('10702010/010325/0001', '6f1c8a52-3d0e-4b1f-9a7e-000000000001', '0b9e7d14-52c3-4e6a-8f21-000000000001', '18003',
     '1006107E', 'IM', '40', '10702010', '2025-03-01 09:00+00'),
    ('10714000/020325/0002', '6f1c8a52-3d0e-4b1f-9a7e-000000000001', '0b9e7d14-52c3-4e6a-8f21-000000000001', '18003',
     '1006107E', 'EX', '10', '10714000', '2025-03-02 10:30+00'),
    ('99999999/030325/0003', '6f1c8a52-3d0e-4b1f-9a7e-000000000001', '0b9e7d14-52c3-4e6a-8f21-000000000001', '18003',
     '1006107E', 'IM', '51', '99999999', '2025-03-03 11:45+00');
