-- The audit chain: one link for every entry of the journal. Whoever changes, deletes or slips in an entry later breaks it.

create table audit_chain (
    -- In the order of the commits, from 1, without a gap.
    seq bigint constraint audit_chain_pkey primary key,
    -- The entry; no foreign key, because a missing one is for the verification to find.
    journal_seq bigint not null constraint audit_chain_once unique,
    -- The entry as it was when it was written: see audit_entry.
    entry bytea not null,
    -- The hash of the link before; 32 zeros in the first.
    prev bytea not null,
    -- SHA-256 over 'leaver1', seq in 8 bytes (the highest first), prev and entry.
    hash bytea not null
);

-- One field: its length in bytes, a colon and the text; a dash where there is none. So no text can look like two fields.
create function audit_field(field text) returns text
    language sql stable
    return coalesce(octet_length(convert_to(field, 'UTF8')) || ':' || field, '-');

-- An entry in bytes that depend on no setting of the session.
create function audit_entry(entry journal) returns bytea
    language sql stable
    return convert_to(
        audit_field(entry.seq::text)
        || audit_field(entry.offboarding_id::text)
        || audit_field(to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || audit_field(entry.actor)
        || audit_field(entry.action)
        || audit_field(entry.step)
        || audit_field(entry.target)
        || audit_field(entry.result)
        || audit_field(entry.request_id::text)
        || audit_field(entry.correlation_id),
        'UTF8');

-- Appends the link of an entry. The lock makes one commit after the other of those that write the journal; who has it needs
-- nothing that anybody else holds, so nobody waits in a circle.
create function audit_append(entry journal) returns void
    language plpgsql as $$
declare
    last_seq bigint;
    last_hash bytea;
    content bytea := audit_entry(entry);
begin
    perform pg_advisory_xact_lock(hashtextextended('audit_chain', 15));
    -- A statement of its own after the lock, so that it sees what the one before has committed.
    select seq, hash into last_seq, last_hash from audit_chain order by seq desc limit 1;
    last_seq := coalesce(last_seq, 0) + 1;
    last_hash := coalesce(last_hash, decode(repeat('00', 32), 'hex'));
    insert into audit_chain (seq, journal_seq, entry, prev, hash)
    values (last_seq, entry.seq, content, last_hash,
            sha256(convert_to('leaver1', 'UTF8') || int8send(last_seq) || last_hash || content));
end
$$;

create function audit_chain_entry() returns trigger
    language plpgsql as $$
begin
    perform audit_append(new);
    return null;
end
$$;

-- Deferred to the commit: the lock is taken last and held for its time only, and whoever waits for it holds up nobody's work.
create constraint trigger journal_is_chained after insert on journal
    deferrable initially deferred for each row execute function audit_chain_entry();

-- What is recorded stays as it is. The first fence only: an owner of the tables can take it away, and then the chain tells.
create function audit_refuse() returns trigger
    language plpgsql as $$
begin
    raise exception '% is only ever added to', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

create trigger journal_stays before update or delete or truncate on journal
    for each statement execute function audit_refuse();
create trigger audit_chain_stays before update or delete or truncate on audit_chain
    for each statement execute function audit_refuse();

-- The entries of before. The trigger's lock on the journal keeps writers out until all of this is committed.
do $$
declare
    entry journal;
begin
    for entry in select * from journal order by seq loop
        perform audit_append(entry);
    end loop;
end
$$;

-- How far signed checkpoints reach, and which of all processes writes the next.
create table audit_checkpoint (
    only_row boolean primary key default true,
    -- When a process set out to write the last one.
    claimed_at timestamptz not null default 'epoch',
    -- The link that the last written one covers; 0 and 32 zeros before the first.
    seq bigint not null default 0,
    hash bytea not null default decode(repeat('00', 32), 'hex'),
    written_at timestamptz,
    -- Why the chain since then can't be signed; null where it can.
    problem text,
    constraint audit_checkpoint_single check (only_row)
);

insert into audit_checkpoint default values;
