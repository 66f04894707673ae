-- The page of the console that somebody asked for before they had to sign in at the issuer.
alter table sign_ins add column wanted text not null default '/';
