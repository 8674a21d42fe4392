-- Users, business entities, subscriptions.

CREATE TABLE users (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      text UNIQUE NOT NULL,
    full_name  text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE business_entities (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES users,
    name     text NOT NULL,
    state    char(2) NOT NULL
);
CREATE TABLE subscriptions (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    plan    text NOT NULL,
    active  boolean NOT NULL DEFAULT true
);

INSERT INTO users (email, full_name) VALUES
    ('ada@example.com', 'Ada Byron'), ('grace@example.com', 'Grace Murray'), ('mary@example.com', 'Mary Allen');
INSERT INTO business_entities (owner_id, name, state) VALUES
    (1, 'Difference Engines LLC', 'DE'), (2, 'Compilers Inc.', 'NY'), (3, 'Orbit Analytics LLC', 'WY');
INSERT INTO subscriptions (user_id, plan) VALUES (1, 'premium'), (2, 'basic'), (3, 'premium');
