-- Lies in main as long as analytics has no database of its own.
CREATE TABLE feature_usage (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feature text NOT NULL,
    used_on date NOT NULL,
    uses    bigint NOT NULL DEFAULT 0,
    UNIQUE (feature, used_on)
);
