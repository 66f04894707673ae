//! A client for the simulator's own tests: sends what it is told, over a real socket, and hides nothing.
