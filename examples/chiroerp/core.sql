-- core-platform: who may do what.

CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, login text UNIQUE NOT NULL, role text NOT NULL);
CREATE TABLE notifications (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    body    text NOT NULL
);

INSERT INTO users (login, role) VALUES ('admin', 'administrator'), ('clerk', 'sales');
INSERT INTO notifications (user_id, body) VALUES (2, 'Order 1 was paid');
