-- Makes an account known. $1: its name
INSERT INTO nbatch.account (name) VALUES ($1) ON CONFLICT DO NOTHING;
