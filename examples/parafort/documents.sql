-- Document records and shares.

CREATE TABLE documents (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id   bigint NOT NULL,
    file_name  text NOT NULL,
    version    integer NOT NULL DEFAULT 1,
    metadata   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE file_shares (
    document_id bigint NOT NULL REFERENCES documents,
    shared_with text NOT NULL,
    PRIMARY KEY (document_id, shared_with)
);

INSERT INTO documents (owner_id, file_name, metadata) VALUES
    (1, 'articles-of-organization.pdf', '{"pages": 4}'), (2, 'operating-agreement.pdf', '{"pages": 12}');
INSERT INTO file_shares VALUES (1, 'grace@example.com');
