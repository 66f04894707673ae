-- What an operator does to the service as a whole (pausing it, for example) is part of the record too, and belongs to no
-- offboarding.
alter table journal alter column offboarding_id drop not null;
