-- The platform has refused a request for being one too many: the account goes slower, for all, once a second at the
-- most. It comes back by a hundredth a second. $1 account
UPDATE nbatch.account a
SET throttled = greatest(0.85 * coalesce(least(a.throttled * (1 + 0.01 * extract(epoch FROM now() - a.throttled_at)),
                                               (SELECT min(w.rate) FROM nbatch.worker w
                                                WHERE w.account = a.name AND w.until > now())), a.pace, 10), 0.1),
    throttled_at = now()
WHERE name = $1 AND (throttled_at IS NULL OR throttled_at < now() - interval '1 s');
