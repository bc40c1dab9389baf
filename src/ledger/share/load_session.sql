-- How the transaction of a load plans: what it has just written has no statistics yet.
SELECT set_config(name, 'off', true) FROM unnest(ARRAY['jit', 'enable_nestloop']) AS name;
