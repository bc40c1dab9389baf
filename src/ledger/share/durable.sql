-- What is committed is on the disk, whatever the server does for others.
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
