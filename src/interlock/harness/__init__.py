"""The trusted core: holds keys and state, does what ``decide`` says, records it first, and starts the others."""
