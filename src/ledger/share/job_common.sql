-- How many devices of a job wait in another job of the account, too: between jobs no order is promised. $1 job
SELECT count(DISTINCT mine.device)
FROM nbatch.command mine
WHERE mine.job = $1
  AND mine.device IN (SELECT waiting.device
                      FROM nbatch.job this
                      JOIN nbatch.job other ON other.account = this.account AND other.id <> this.id
                                           AND other.state IN ('running', 'paused')
                      JOIN nbatch.command waiting ON waiting.job = other.id AND waiting.device <> 0
                      LEFT JOIN nbatch.result r ON r.job = waiting.job AND r.row = waiting.row
                      WHERE this.id = $1 AND r.row IS NULL);
