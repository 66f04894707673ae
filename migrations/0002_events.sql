-- Every authentic delivery, one row per person it speaks of. Kept for the whole retention period: it is what makes
-- a redelivery harmless.
create table events (
    id uuid primary key,
    source text not null,
    -- The sender's own id, or one derived from the event's fields.
    event_id text not null,
    received_at timestamptz not null default now(),
    -- What has to be equal when the same id arrives again.
    content_digest bytea not null,
    -- The bytes as they came: bytea, because text and jsonb refuse a NUL and lose the order of members.
    body bytea not null,
    -- Which of the source's keys verified it, counted from 0.
    key_index integer not null,
    disposition text not null,
    offboarding_id uuid constraint events_offboarding references offboardings (id),
    constraint events_once_per_source unique (source, event_id),
    constraint events_disposition_known check (disposition in ('accepted', 'held', 'ignored'))
);

create index events_by_offboarding on events (offboarding_id);
