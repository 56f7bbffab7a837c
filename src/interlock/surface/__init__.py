"""How people and programs reach the service; no decision is taken here."""
