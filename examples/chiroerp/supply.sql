-- supply-chain-manufacturing: inventory and reservations.

CREATE TABLE inventory (sku text PRIMARY KEY, on_hand integer NOT NULL CHECK (on_hand >= 0));
CREATE TABLE reservations (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku      text NOT NULL REFERENCES inventory,
    quantity integer NOT NULL CHECK (quantity > 0)
);

INSERT INTO inventory VALUES ('CH-1', 12), ('CH-2', 300);
