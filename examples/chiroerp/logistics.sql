-- logistics-transportation: shipments.

CREATE TABLE shipments (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL,                 -- known to commerce
    carrier  text NOT NULL,
    status   text NOT NULL
);

INSERT INTO shipments (order_id, carrier, status) VALUES (1, 'Parcel Express', 'in transit');
