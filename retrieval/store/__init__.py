"""Documents in SQL, the truth that every index follows: schema, migrations, and the queries, each on a connection."""
