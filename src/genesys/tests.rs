//! The client against single strange answers of Genesys.
