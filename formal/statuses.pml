/* Written by formal/statuses.py from formal/life.json; edit the table, not this file. */
mtype = { absent, proposed, denied, deferred, pending, approved, sealed, running, done, halted, expired, revoked, rolled_back };
#define BIRTH(p) status[p] = proposed
#define MAY_deny(p) (status[p] == proposed || status[p] == deferred || status[p] == pending)
#define DO_deny(p) status[p] = denied
#define MAY_defer(p) (status[p] == proposed)
#define DO_defer(p) status[p] = deferred
#define MAY_ask(p) (status[p] == proposed || status[p] == deferred)
#define DO_ask(p) status[p] = pending
#define MAY_allow(p) (status[p] == proposed || status[p] == deferred)
#define DO_allow(p) status[p] = approved
#define MAY_approve(p) (status[p] == pending)
#define DO_approve(p) status[p] = approved
#define MAY_seal(p) (status[p] == approved)
#define DO_seal(p) status[p] = sealed
#define MAY_start(p) (status[p] == sealed)
#define DO_start(p) status[p] = running
#define MAY_finish(p) (status[p] == running)
#define DO_finish(p) status[p] = done
#define MAY_halt(p) (status[p] == approved || status[p] == sealed || status[p] == running)
#define DO_halt(p) status[p] = halted
#define MAY_expire(p) (status[p] == proposed || status[p] == deferred || status[p] == pending || status[p] == approved || status[p] == sealed || status[p] == running)
#define DO_expire(p) status[p] = expired
#define MAY_revoke(p) (status[p] == proposed || status[p] == deferred || status[p] == pending || status[p] == approved || status[p] == sealed || status[p] == running || status[p] == halted)
#define DO_revoke(p) status[p] = revoked
#define MAY_undo(p) (status[p] == done || status[p] == halted || status[p] == expired || status[p] == revoked)
#define DO_undo(p) status[p] = rolled_back
