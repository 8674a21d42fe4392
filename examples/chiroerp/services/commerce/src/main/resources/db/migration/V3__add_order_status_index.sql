-- Outside of a transaction: orders come in meanwhile.
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_open_status ON orders (status, id);
