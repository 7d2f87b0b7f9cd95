"""`paymesh audit-log`: who changed what, proved, told and taken along."""
