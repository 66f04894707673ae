-- Putting back what was taken away, and telling a removal that does not show yet from something that came back.

alter table assignments
    -- When a complete read no longer showed it after a removal.
    add column gone_at timestamptz,
    -- It was there again after a removal: a repeated removal found it, or a read showed it that had not shown it before.
    add column returned boolean not null default false,
    -- When it was last put back, and how often: more than once means that it doesn't stay.
    add column restored_at timestamptz,
    add column restores integer not null default 0,
    -- Why it can't be put back, for example because the queue is gone.
    add column lost text;

-- When the reports were written into the journal; they are read once.
alter table offboardings add column reported_at timestamptz;

-- A restore is no open offboarding: a new termination of the same person opens one of its own, which waits for it.
drop index offboardings_one_open_per_email;
drop index offboardings_one_open_per_external_id;
create unique index offboardings_one_open_per_email on offboardings (email_key)
    where status in ('scheduled', 'held') and email_key is not null and goal = 'offboarded';
create unique index offboardings_one_open_per_external_id on offboardings (source, external_id)
    where status in ('scheduled', 'held') and external_id is not null and goal = 'offboarded';
