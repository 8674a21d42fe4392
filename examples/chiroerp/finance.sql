-- financial-management: ledger and invoices.

CREATE TABLE accounts (code text PRIMARY KEY, name text NOT NULL);
CREATE TABLE invoices (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint UNIQUE NOT NULL,          -- known to commerce
    amount   numeric(12,2) NOT NULL,
    paid     boolean NOT NULL DEFAULT false
);

INSERT INTO accounts VALUES ('1200', 'Receivables'), ('4000', 'Sales');
INSERT INTO invoices (order_id, amount) VALUES (1, 890.00);
