"""One module per noun of the command line; each is imported when its command runs."""
