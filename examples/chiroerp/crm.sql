-- customer-relationship: customers and leads.

CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text UNIQUE NOT NULL);
CREATE TABLE leads (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, stage text NOT NULL);

INSERT INTO customers (name, email) VALUES ('Spine Clinic', 'office@spine.example'), ('Back in Shape', 'hello@shape.example');
INSERT INTO leads (name, stage) VALUES ('Northside Practice', 'contacted');
