"""The audit log: who changed what, why, when, before and after; append-only and provable."""
