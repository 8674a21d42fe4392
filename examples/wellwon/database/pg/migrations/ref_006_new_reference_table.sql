-- database/pg/migrations/ref_006_new_reference_table.sql
-- Target: wellwon_reference

-- =====================================================================
-- Table: dc_new_reference
-- Purpose: Codes that declarations may use
-- Data Source: Manual
-- Update Frequency: Rarely
-- =====================================================================

CREATE TABLE dc_new_reference (
    id SERIAL PRIMARY KEY,
    kontur_id VARCHAR(50) UNIQUE,        -- If from Kontur API
    code VARCHAR(50) UNIQUE NOT NULL,
    name VARCHAR(500) NOT NULL,
    description TEXT,
    is_active BOOLEAN DEFAULT true,
    created_at TIMESTAMPTZ DEFAULT NOW(),
    updated_at TIMESTAMPTZ DEFAULT NOW()
);

-- Indexes
CREATE INDEX idx_new_reference_code ON dc_new_reference(code);
CREATE INDEX idx_new_reference_active ON dc_new_reference(is_active);

-- Comments
COMMENT ON TABLE dc_new_reference IS 'New reference data';
COMMENT ON COLUMN dc_new_reference.code IS 'Code used in declarations';
