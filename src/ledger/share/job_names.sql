-- What jobs there are, the latest first, for who names another.
SELECT name FROM nbatch.job ORDER BY loaded DESC NULLS LAST, name LIMIT 100;
