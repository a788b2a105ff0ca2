"""A portal to invite people, and to give them their account and roles when they accept."""
