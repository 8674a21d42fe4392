-- operations-service: field service and repairs.

CREATE TABLE repairs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, device text NOT NULL, scheduled_on date NOT NULL);

INSERT INTO repairs (device, scheduled_on) VALUES ('Treatment table CH-1', '2025-03-10');
