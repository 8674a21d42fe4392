-- BOIR filings and the audit trail.

CREATE TABLE boir_filings (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_id bigint NOT NULL,
    status    text NOT NULL,
    filed_at  timestamptz
);
CREATE TABLE audit_trail (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor  text NOT NULL,
    action text NOT NULL,
    at     timestamptz NOT NULL DEFAULT now()
);

INSERT INTO boir_filings (entity_id, status, filed_at) VALUES
    (1, 'accepted', '2025-01-15 12:00+00'), (2, 'draft', NULL);
INSERT INTO audit_trail (actor, action) VALUES ('ada@example.com', 'filed BOIR 1');
