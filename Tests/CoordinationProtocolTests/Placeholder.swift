// Replaced by this module's first suite.
