-- What the examples need of WellWon's reference database: customs offices, forms, declaration types, procedures.

CREATE TABLE dc_json_templates (
    id               serial PRIMARY KEY,
    kontur_id        varchar(50) UNIQUE,
    document_mode_id varchar(20) NOT NULL,
    gf_code          varchar(20) NOT NULL,
    type_name        varchar(100) NOT NULL,
    template_json    jsonb,
    is_active        boolean DEFAULT true,
    created_at       timestamptz DEFAULT now(),
    updated_at       timestamptz DEFAULT now()
);

CREATE TABLE dc_form_definitions (
    id               serial PRIMARY KEY,
    document_mode_id varchar(20) NOT NULL,
    gf_code          varchar(20),
    type_name        varchar(100),
    fields           jsonb,
    default_values   jsonb,
    validation_rules jsonb,
    is_active        boolean DEFAULT true,
    created_at       timestamptz DEFAULT now(),
    updated_at       timestamptz DEFAULT now()
);

CREATE TABLE dc_form_sync_history (
    id         serial PRIMARY KEY,
    sync_type  varchar(20) NOT NULL,
    status     varchar(20) NOT NULL,
    created_at timestamptz DEFAULT now()
);

CREATE TABLE dc_declaration_types (
    id          serial PRIMARY KEY,
    kontur_id   varchar(50) UNIQUE,
    code        varchar(10) UNIQUE NOT NULL,
    description varchar(500),
    is_active   boolean DEFAULT true,
    created_at  timestamptz DEFAULT now()
);

CREATE TABLE dc_procedures (
    id                  serial PRIMARY KEY,
    kontur_id           varchar(50),
    code                varchar(10) NOT NULL,
    name                varchar(500) NOT NULL,
    declaration_type_id integer REFERENCES dc_declaration_types,
    is_active           boolean DEFAULT true,
    created_at          timestamptz DEFAULT now()
);

CREATE TABLE dc_customs (
    id         serial PRIMARY KEY,
    kontur_id  varchar(50) UNIQUE,
    code       varchar(20) UNIQUE NOT NULL,
    short_name varchar(500),
    full_name  varchar(1000),
    address    text,
    is_active  boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

CREATE TABLE dc_document_types (
    id          serial PRIMARY KEY,
    code        varchar(50) UNIQUE NOT NULL,
    name        varchar(500) NOT NULL,
    description text,
    ed_document boolean DEFAULT false,
    is_active   boolean DEFAULT true,
    created_at  timestamptz DEFAULT now()
);

CREATE TABLE dc_common_orgs (
    id         serial PRIMARY KEY,
    kontur_id  varchar(50) UNIQUE,
    full_name  varchar(1000) NOT NULL,
    short_name varchar(500),
    inn        varchar(20),
    address    text,
    is_active  boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);

INSERT INTO dc_declaration_types (kontur_id, code, description) VALUES
    ('1', 'IM', 'Import'), ('2', 'EX', 'Export'), ('3', 'TR', 'Transit'), ('4', 'TI', 'Temporary import'),
    ('5', 'TE', 'Temporary export');

INSERT INTO dc_procedures (kontur_id, code, name, declaration_type_id) VALUES
    ('40', '40', 'Release for domestic consumption (import)', 1),
    ('10', '10', 'Export', 2),
    ('51', '51', 'Temporary import for up to 2 years', 4);

INSERT INTO dc_customs (kontur_id, code, short_name, full_name, address, is_active) VALUES
    ('1', '10702010', 'Московская таможня', 'Moscow Customs', 'Москва', true),
    ('2', '10714000', 'Шереметьевская таможня', 'Sheremetyevo Airport Customs', 'Шереметьево', true),
    ('3', '10000001', 'Закрытый пост', 'A post that was closed', NULL, false);

INSERT INTO dc_json_templates (kontur_id, document_mode_id, gf_code, type_name, template_json) VALUES
    ('t1', '1006107E', '18003', 'ДТ', '{"sections": []}'),
    ('t2', '1002007E', '18104', 'ДТС', '{"sections": []}');

INSERT INTO dc_form_definitions (document_mode_id, gf_code, type_name, fields, default_values, validation_rules) VALUES
    ('1006107E', '18003', 'ДТ (импорт/экспорт)', '[{"name": "declarant", "type": "string"}]', '{}', '{}'),
    ('1002007E', '18104', 'ДТС-1', '[{"name": "invoice", "type": "string"}, {"name": "value", "type": "decimal"}]',
     '{"currency": "USD"}', '{"value": {"min": 0}}');

INSERT INTO dc_document_types (code, name, ed_document) VALUES
    ('INVOICE', 'Commercial invoice', true), ('PACKING_LIST', 'Packing list', true),
    ('CERTIFICATE', 'Certificate of origin', false), ('CONTRACT', 'Foreign trade contract', false);

INSERT INTO dc_common_orgs (kontur_id, full_name, short_name, inn, address) VALUES
    ('o1', 'Общество с ограниченной ответственностью «Северный путь»', 'ООО Северный путь', '7701234567', 'Москва'),
    ('o2', 'Общество с ограниченной ответственностью «Восток Импорт»', 'ООО Восток Импорт', '7707654321', 'Москва');

INSERT INTO dc_form_sync_history (sync_type, status) VALUES ('full', 'success');
