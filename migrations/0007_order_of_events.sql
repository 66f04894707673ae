-- What each event said, so that the order in which things happened at the sender can be told from the order of arrival.

alter table events
    -- The order of arrival: events of one person are stored one after the other, under a lock.
    add column arrival bigint,
    -- Whether the person leaves or stays; null for events that say neither.
    add column said text,
    -- When the termination takes effect, or from when on the person stays; null where the event does not say.
    add column effective_at timestamptz,
    add column sequence bigint,
    add column occurred_at timestamptz,
    add column email_key text,
    add column external_id text,
    add constraint events_said_known check (said in ('leaves', 'stays'));

-- Added as a default afterwards, so that no row is written anew: events of before have no place, and need none.
create sequence events_arrival owned by events.arrival;
alter table events alter column arrival set default nextval('events_arrival');
create unique index events_arrival_once on events (arrival) where arrival is not null;

create index events_by_email on events (email_key) where said is not null;
create index events_by_external_id on events (source, external_id) where said is not null;

-- When the HRIS took back what had been carried out already. Nothing is put back by itself.
alter table offboardings add column rescinded_at timestamptz;

-- Ended ones are looked up by person when a later event speaks of them.
create index offboardings_by_email on offboardings (email_key) where email_key is not null;
create index offboardings_done_by_user on offboardings (genesys_user_id) where status = 'done';
create index offboardings_by_external_id on offboardings (source, external_id) where external_id is not null;
