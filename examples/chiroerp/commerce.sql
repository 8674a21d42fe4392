-- commerce: products and orders.

CREATE TABLE products (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku   text UNIQUE NOT NULL,
    name  text NOT NULL,
    price numeric(12,2) NOT NULL
);
CREATE TABLE orders (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,              -- known to crm
    product_id  bigint NOT NULL REFERENCES products,
    quantity    integer NOT NULL CHECK (quantity > 0),
    status      text NOT NULL DEFAULT 'created'
);
CREATE INDEX ON orders (status);

INSERT INTO products (sku, name, price) VALUES ('CH-1', 'Treatment table', 890.00), ('CH-2', 'Posture pad', 49.90);
INSERT INTO orders (customer_id, product_id, quantity) VALUES (1, 1, 1), (2, 2, 4);
