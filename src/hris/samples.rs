//! Replays the sample bodies that stand beside the built-in profiles and compares them with their expected readings.
//! What a profile must read is left to the data files.
