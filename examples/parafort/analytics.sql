-- Activity logs and business metrics.

CREATE TABLE user_activity (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL,
    action      text NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE business_metrics (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric      text NOT NULL,
    value       numeric NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO user_activity (user_id, action) VALUES (1, 'login'), (1, 'formation_started'), (2, 'login');
INSERT INTO business_metrics (metric, value) VALUES ('monthly_revenue', 128400.50), ('active_users', 3);
