-- Stored events can be looked at and read again: what the reading of each was, and what its readings were before.

alter table events
    -- The headers that the profile's pointers read, by name; null for events of before. Never a credential.
    add column headers jsonb,
    -- The sender's own word for what happened.
    add column word text,
    -- What the matching rule of the profile asks for; null where no rule matched or nothing could be read.
    add column directive text,
    -- Why the body could not be understood.
    add column unreadable text,
    -- Why the event itself had to be held.
    add column reason text,
    add column termination_type text,
    add column email text,
    -- Since when the present reading of the same delivery has other events instead of this one. It says nothing any more.
    add column replaced_at timestamptz;

-- The rows of one delivery.
create index events_by_receipt on events (source, received_at);
create index events_by_event_id on events (event_id);
create index events_of_no_rule on events (source, received_at) where word is not null and directive is null;

-- What a replay changed about an event.
create table event_replays (
    id bigint generated always as identity primary key,
    event uuid not null constraint event_replays_event references events (id),
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    -- The reading of before; null for an event that the replay brought.
    before jsonb,
    -- The reading since; null where other events stand for the delivery since.
    after jsonb,
    constraint event_replays_say_something check (num_nonnulls(before, after) > 0)
);

create index event_replays_by_event on event_replays (event, id);

-- A delivery that is read again may have more events than before, and each has to come before everything that arrived
-- later: from now on there is room for 16383 of them behind every place in the order of arrival.
lock table events in share row exclusive mode;
drop index events_arrival_once;
update events set arrival = arrival * 16384 where arrival is not null;
create unique index events_arrival_once on events (arrival) where arrival is not null;
select setval('events_arrival', last_value * 16384, is_called) from events_arrival;
alter sequence events_arrival increment by 16384;
