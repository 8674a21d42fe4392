CREATE TABLE IF NOT EXISTS products (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku   text UNIQUE NOT NULL,
    name  text NOT NULL,
    price numeric(12,2) NOT NULL
);
