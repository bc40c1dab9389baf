-- Two roles without a login: `nbatch_worker` loads jobs, works and ends them; `nbatch_viewer` only looks. Grant one to
-- whoever logs in: GRANT nbatch_worker TO ops.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nbatch_viewer') THEN
        CREATE ROLE nbatch_viewer NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nbatch_worker') THEN
        CREATE ROLE nbatch_worker NOLOGIN;
    END IF;
    GRANT USAGE ON SCHEMA nbatch TO nbatch_viewer, nbatch_worker;
    GRANT SELECT ON ALL TABLES IN SCHEMA nbatch TO nbatch_viewer, nbatch_worker;
    GRANT INSERT, UPDATE ON nbatch.account TO nbatch_worker;
    GRANT INSERT, UPDATE (state, rows), DELETE ON nbatch.job TO nbatch_worker;
    GRANT INSERT, UPDATE, DELETE ON nbatch.worker, nbatch.started TO nbatch_worker;
    GRANT INSERT, UPDATE ON nbatch.shard, nbatch.result TO nbatch_worker;
    GRANT INSERT ON nbatch.command, nbatch.event TO nbatch_worker;
END
$$;
