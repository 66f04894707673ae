-- What scrapes and pages ask again and again, found without reading whole tables.

-- The oldest that is due and not finished.
create index offboardings_unfinished on offboardings (effective_at) where status in ('scheduled', 'held', 'failed');
-- How many there are of what.
create index offboardings_by_outcome on offboardings (status, outcome, reason);
-- What others have still to be told, and what was given up.
create index callbacks_not_told on callbacks (status, occurred_at) where status in ('waiting', 'gave_up');
-- When each key of a source was used last. With the condition of the queries, so that it is preferred to an index that
-- leads through the whole history of a key that never verified anything; what was asked of a source is no delivery.
drop index events_by_key;
create index events_delivered_by_key on events (source, key_index, received_at)
    where not starts_with(event_id, 'look-up:');
