"""Database operations of a cloud account, as narrow actions: the manifests stand in interlock.json."""
