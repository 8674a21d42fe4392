-- analytics-intelligence: reporting data.

CREATE TABLE daily_revenue (day date PRIMARY KEY, revenue numeric(14,2) NOT NULL);

INSERT INTO daily_revenue VALUES ('2025-03-01', 1180.00), ('2025-03-02', 640.50);
