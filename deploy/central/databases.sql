-- The store is the database named in compose.yaml; the console has one of its own.
CREATE DATABASE console OWNER platefleet;
