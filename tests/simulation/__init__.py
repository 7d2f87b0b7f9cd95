"""The whole of paymesh in one thread under simulated time: seeded, replayable, full of faults."""
