-- Waiting for somebody's work: what is done meanwhile, and how long it may take.

alter table offboardings
    -- When the first change was intended that takes something away. Being set unjoined is a change, and none of these.
    add column strip_began_at timestamptz,
    -- When being set unjoined was answered: done, not needed, or refused for good. It is done once.
    add column off_queue_at timestamptz,
    -- When the waiting ends because the shift and its grace are over; null where that is not known.
    add column busy_until timestamptz,
    -- When the shift was looked up for the present waiting.
    add column shift_read_at timestamptz;

update offboardings set strip_began_at = changes_began_at where changes_began_at is not null;

alter table assignments
    -- When it was changed without being taken away, or may have been: a restore compares what it is like.
    add column altered_at timestamptz;
