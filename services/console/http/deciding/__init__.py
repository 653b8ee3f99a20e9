"""The first screen: the verdict, megawatts, sites by kind, and the heat map of their cover."""
