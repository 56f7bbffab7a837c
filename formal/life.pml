/* The life of a plan and of its revision, with two workers, crashes, clocks and two hostile processes.
 *
 * One process, one loop: each rule is a guarded, indivisible step, so that interleavings of planner, persons,
 * harness, workers, clock and attacker are exactly the orders in which rules fire.  The file keeps to the subset
 * of Promela that formal/promela.py reads, so SPIN and formal/explore.py check the very same text.
 *
 * A plan has two positions in its unfolding (LEN): 0 is idempotent; 1 is not, and in a `heavy` plan it is also
 * privileged and destructive.  A position stands for one (step, iteration).  Position 2 is a step that nobody
 * approved.  Plan 1 is the revision of plan 0.  A digest is body + 1; 0 is "none".  Person 0 is the requester.
 *
 * Guards read only what the harness would know; JUDGE reads what really happened, and never a guard.
 *
 * The seeded mistakes, each with the property that must catch it:
 * MUTANT_1 I1: the start of a step does not look at the clock
 * MUTANT_2 I1: a restart resumes a plan that was revoked meanwhile
 * MUTANT_3 I1: a used approval is accepted again after a revocation
 * MUTANT_4 I2: the requester may approve
 * MUTANT_5 I2: one person suffices where two are asked for
 * MUTANT_6 I1: a revised plan inherits the approval of its parent
 * MUTANT_7 I2: the gate lets a privileged plan pass without a person
 * MUTANT_8 I1: sealing signs what lies there, without comparing it with the approved digest
 * MUTANT_9 I3: a step that was changed after sealing runs, because it does not verify its plan
 * MUTANT_10 I3: the order of the unfolding is not checked
 * MUTANT_11 I3: a position beyond the unfolding is accepted
 * MUTANT_12 I4: a finished step can be claimed again
 * MUTANT_13 I4: a claim reads and writes in two transactions
 * MUTANT_14 I4: a crash gives a step that is not idempotent back for another try
 * MUTANT_15 I3: a lapsed lease is given away while its worker lives on
 * MUTANT_16 I1: a grant is not bound to its plan
 * MUTANT_17 I8: the entry of a step is written after its effect
 * MUTANT_18 I8: a decision takes effect before its entry
 * MUTANT_19 I10: the commit does not wait for the snapshot
 * MUTANT_20 I10: a snapshot counts before it is verified
 * MUTANT_21 I3: a revision keeps unfinished steps as facts
 * MUTANT_22 I3: a parent is rolled back beneath its living revision
 * MUTANT_23 I8: a rollback restores before its entry
 * MUTANT_24 I1: confirmations of different digests are added up
 * MUTANT_25 I3: a restart does not wait until the old workers are dead
 */
#include "statuses.pml"

#define LEN 2

/* verdicts that stand in the ledger and are not yet applied */
#define NOTHING 0
#define DENY 1
#define DEFER 2
#define ASK 3
#define ALLOW 4

/* a claim row; ORPHAN: may be repeated under its one key; UNKNOWN: nobody knows, a person decides */
#define FREE 0
#define CLAIMED 1
#define ORPHAN 2
#define DONE 3
#define UNKNOWN 4

/* a worker's process */
#define IDLE 0
#define HOLDING 1
#define ACTING 2
#define ACTED 3

/* a snapshot */
#define NONE 0
#define TORN 1
#define STORED 2
#define VERIFIED 3

/* durable state */
mtype status[2] = absent;
byte verdict[2];
byte vote[6];
byte digest[2];
byte row[6];
bit entry[6];
byte snapshot[2];
byte undoing[2];
bit kept[2];

/* volatile state */
bit up = 1;
byte proc[2];
byte job[2];

/* the world: what is true, whether or not anybody looks */
bit heavy;
bit body[2];
bit tampered;
bit late[2];
bit recalled[2];
byte confirmed[2];
byte gated[2];
byte starts[2];
bit did[6];
bit broke[11];

#define ROW(p, i) row[p * 3 + i]
#define ENTRY(p, i) entry[p * 3 + i]
#define DID(p, i) did[p * 3 + i]
#define VOTE(p, q) vote[p * 3 + q]
#define JOB(p, i) (p * 3 + i)
#define DIGEST(p) (body[p] + 1)
#define JUDGE(n, c) broke[n] = broke[n] || !(c)
#define ENOUGH(p, d) (VOTE(p, 1) == d && VOTE(p, 2) == d)
#define FORGET(p) VOTE(p, 0) = 0; VOTE(p, 1) = 0; VOTE(p, 2) = 0; verdict[p] = NOTHING
/* Of a superseded plan no rule reads these again; forgetting them keeps the state space small. */
#define FORGET_RUN(p) body[p] = 0; late[p] = 0; starts[p] = 0; snapshot[p] = NONE; digest[p] = 1; \
  ROW(p, 0) = FREE; ROW(p, 1) = FREE; ENTRY(p, 0) = 0; ENTRY(p, 1) = 0; DID(p, 1) = 0; DID(p, 0) = DID(p, 0) && kept[0]; \
  if :: heavy -> confirmed[p] = 1 :: else -> confirmed[p] = 0; gated[p] = 1 fi
#define QUIET(p) (ROW(p, 0) != CLAIMED && ROW(p, 1) != CLAIMED && ROW(p, 2) != CLAIMED)

/* I1 to I10 as said of one start or one effect; nothing here is a guard */
#define I1_HOLDS(p) (UNCHANGED(p) && !late[p] && !recalled[p])
#define UNCHANGED(p) (DIGEST(p) == confirmed[p] || DIGEST(p) == gated[p])
#define I2_HOLDS(p, i) (!heavy || i != 1 || DIGEST(p) == confirmed[p])
#define I3_FIRST(p) (i != 0 || (!DID(p, 1) && ROW(p, 1) == FREE && !(p == 1 && kept[0])))
#define I3_SECOND(p) (i != 1 || ((DID(p, 0) || (p == 1 && kept[0] && DID(0, 0))) && !(p == 1 && kept[1])))
#define I3_HOLDS(p, i) (i < LEN && I3_FIRST(p) && I3_SECOND(p) && (p == 0 || status[0] != rolled_back))
#define I10_HOLDS(p, i) (!heavy || i != 1 || snapshot[p] == VERIFIED)

/* what the harness checks */
#ifdef MUTANT_4
#define ELIGIBLE(q) 1
#define QUORUM(p, d) ((VOTE(p, 0) == d && (VOTE(p, 1) == d || VOTE(p, 2) == d)) || ENOUGH(p, d))
#else
#define ELIGIBLE(q) (q != 0)
#ifdef MUTANT_5
#define QUORUM(p, d) (VOTE(p, 1) == d || VOTE(p, 2) == d)
#else
#ifdef MUTANT_24
#define QUORUM(p, d) (VOTE(p, 1) != 0 && VOTE(p, 2) != 0)
#else
#define QUORUM(p, d) ENOUGH(p, d)
#endif
#endif
#endif

#ifdef MUTANT_7
#define GATE_MAY_ALLOW 1
#else
#define GATE_MAY_ALLOW (!heavy)
#endif

#ifdef MUTANT_18
#define RECORDED(p, v) (v != ALLOW || !heavy)
#else
#define RECORDED(p, v) (verdict[p] == v)
#endif

#ifdef MUTANT_8
#define SEALABLE(p) 1
#else
#define SEALABLE(p) (digest[p] == DIGEST(p))
#endif

#ifdef MUTANT_1
#define IN_TIME(p) 1
#else
#define IN_TIME(p) (!late[p])
#endif

#ifdef MUTANT_16
#define GRANTED(p) ((status[p] == running && IN_TIME(p)) || (p == 1 && digest[0] != 0 && !late[0]))
#define GENUINE(p) 1
#else
#define GRANTED(p) (status[p] == running && IN_TIME(p))
#ifdef MUTANT_9
#define GENUINE(p) 1
#else
#define GENUINE(p) (digest[p] == DIGEST(p))
#endif
#endif

#ifdef MUTANT_10
#define IN_ORDER(p, i) 1
#else
#define IN_ORDER(p, i) ((i == 0 || ROW(p, 0) == DONE) && (i != 2 || ROW(p, 1) == DONE))
#endif

#ifdef MUTANT_11
#define WITHIN(i) 1
#else
#define WITHIN(i) (i < LEN)
#endif

#ifdef MUTANT_12
#define CLAIMABLE(p, i) (ROW(p, i) == FREE || ROW(p, i) == ORPHAN || ROW(p, i) == DONE)
#else
#define CLAIMABLE(p, i) (ROW(p, i) == FREE || ROW(p, i) == ORPHAN)
#endif

#ifdef MUTANT_19
#define COMMITTABLE(p, i) 1
#else
#ifdef MUTANT_20
#define COMMITTABLE(p, i) (!heavy || i != 1 || snapshot[p] != NONE)
#else
#define COMMITTABLE(p, i) (!heavy || i != 1 || snapshot[p] == VERIFIED)
#endif
#endif

#ifdef MUTANT_21
#define KEEPS(i) (ROW(0, i) != FREE)
#else
#define KEEPS(i) (ROW(0, i) == DONE)
#endif

#ifdef MUTANT_22
#define UNBUILT(p) 1
#else
#define UNBUILT(p) (p == 1 || status[1] == absent || status[1] == denied || status[1] == rolled_back || ((status[1] == expired || status[1] == revoked) && digest[1] == 0))
#endif

#ifdef MUTANT_25
#define WORKERS_GONE 1
#else
#define WORKERS_GONE (proc[0] == IDLE && proc[1] == IDLE)
#endif

/* ---- planner and gate ---- */
inline propose(h) { d_step { up && status[0] == absent -> BIRTH(0); heavy = h } }

inline judge_plan(p, v) {
  d_step {
    up && (status[p] == proposed || (status[p] == deferred && v != DEFER)) && verdict[p] == NOTHING && (v != ALLOW || GATE_MAY_ALLOW) ->
    verdict[p] = v
  }
}

inline apply_deny(p) {
  d_step { up && status[p] != pending && MAY_deny(p) && RECORDED(p, DENY) ->
    JUDGE(8, verdict[p] == DENY); verdict[p] = NOTHING; DO_deny(p) }
}
inline apply_defer(p) {
  d_step { up && MAY_defer(p) && RECORDED(p, DEFER) -> JUDGE(8, verdict[p] == DEFER); verdict[p] = NOTHING; DO_defer(p) }
}
inline apply_ask(p) {
  d_step { up && MAY_ask(p) && RECORDED(p, ASK) -> JUDGE(8, verdict[p] == ASK); verdict[p] = NOTHING; DO_ask(p) }
}
inline apply_allow(p) {
  d_step { up && MAY_allow(p) && RECORDED(p, ALLOW) && !late[p] ->
    JUDGE(8, verdict[p] == ALLOW); verdict[p] = NOTHING; gated[p] = DIGEST(p); digest[p] = DIGEST(p); DO_allow(p) }
}

/* ---- persons: a confirmation names a digest, works once, can be taken back ---- */
inline confirm(p, q) {
  d_step { up && status[p] == pending && !late[p] && VOTE(p, q) != DIGEST(p) && ELIGIBLE(q) -> VOTE(p, q) = DIGEST(p) }
}
inline withdraw(p, q) { d_step { up && status[p] == pending && VOTE(p, q) != 0 -> VOTE(p, q) = 0 } }
inline refuse(p) { d_step { up && status[p] == pending && MAY_deny(p) -> FORGET(p); DO_deny(p) } }
inline approve(p) {
  d_step {
    up && MAY_approve(p) && !late[p] && QUORUM(p, DIGEST(p)) ->
    if :: ENOUGH(p, DIGEST(p)) -> confirmed[p] = DIGEST(p) :: else -> skip fi;
    digest[p] = DIGEST(p); FORGET(p); DO_approve(p)
  }
}
/* A revocation is a durable row, so it can be written while the harness is down.  Of a superseded plan nothing
 * is left to revoke: its revision is what runs. */
inline revoke(p) { d_step { MAY_revoke(p) && (p == 1 || status[1] == absent) -> recalled[p] = 1; FORGET(p); DO_revoke(p) } }
inline halt(p) { d_step { up && MAY_halt(p) -> DO_halt(p) } }
#ifdef MUTANT_3
inline replay(p) { d_step { up && status[p] == revoked && digest[p] != 0 && undoing[p] == 0 -> DO_approve(p) } }
#endif

/* ---- the clock, and a hostile hand on a stored plan ---- */
inline tick(p) { d_step { !late[p] && MAY_expire(p) -> late[p] = 1 } }
inline expire(p) { d_step { up && late[p] && MAY_expire(p) -> FORGET(p); DO_expire(p) } }
inline tamper(p) {
  d_step { !tampered && (status[p] == pending || status[p] == approved || status[p] == sealed || status[p] == running) ->
    body[p] = 1; tampered = 1 }
}

/* ---- sealing ---- */
inline seal(p) { d_step { up && MAY_seal(p) && !late[p] && SEALABLE(p) -> digest[p] = DIGEST(p); DO_seal(p) } }
inline start(p) { d_step { up && MAY_start(p) && !late[p] -> DO_start(p) } }
inline finish(p) { d_step { up && MAY_finish(p) && ROW(p, 0) == DONE && ROW(p, 1) == DONE -> DO_finish(p) } }

/* ---- steps: a hostile executor core asks for any position of any plan, at any time ---- */
#ifdef MUTANT_13
byte saw[2];
inline look(w, p, i) {
  d_step { up && proc[w] == IDLE && saw[w] == 0 && GRANTED(p) && WITHIN(i) && IN_ORDER(p, i) && CLAIMABLE(p, i) -> saw[w] = JOB(p, i) + 1 }
}
inline claim(w, p, i) {
  d_step { up && proc[w] == IDLE && saw[w] == JOB(p, i) + 1 && GRANTED(p) ->
    saw[w] = 0; ROW(p, i) = CLAIMED; ENTRY(p, i) = 1; proc[w] = HOLDING; job[w] = JOB(p, i) }
}
#else
inline claim(w, p, i) {
  d_step {
    up && proc[w] == IDLE && GRANTED(p) && WITHIN(i) && IN_ORDER(p, i) && CLAIMABLE(p, i) ->
    ROW(p, i) = CLAIMED; proc[w] = HOLDING; job[w] = JOB(p, i);
#ifndef MUTANT_17
    ENTRY(p, i) = 1
#else
    skip
#endif
  }
}
#endif

/* The harness hands over arguments and secrets: from here on the step may act.  This is its start. */
inline release(w, p, i) {
  d_step {
    up && proc[w] == HOLDING && job[w] == JOB(p, i) && GRANTED(p) && GENUINE(p) ->
    JUDGE(1, I1_HOLDS(p));
    JUDGE(2, I2_HOLDS(p, i));
    JUDGE(3, UNCHANGED(p));
    if :: i == 1 && starts[p] < 2 -> starts[p] = starts[p] + 1 :: else -> skip fi;
    JUDGE(4, starts[p] < 2);
    proc[w] = ACTING
  }
}
inline snap(w, p, how) {
  d_step { up && heavy && proc[w] == ACTING && job[w] == JOB(p, 1) && snapshot[p] == NONE -> snapshot[p] = how }
}
inline verify(p) { d_step { up && snapshot[p] == STORED -> snapshot[p] = VERIFIED } }

/* The effect itself; it needs no living harness. */
inline act(w, p, i) {
  d_step {
    proc[w] == ACTING && job[w] == JOB(p, i) && COMMITTABLE(p, i) ->
    JUDGE(3, I3_HOLDS(p, i));
    JUDGE(8, ENTRY(p, i));
    JUDGE(10, I10_HOLDS(p, i));
    DID(p, i) = 1; proc[w] = ACTED
  }
}
inline record(w, p, i) {
  d_step { up && proc[w] == ACTED && job[w] == JOB(p, i) -> ROW(p, i) = DONE; ENTRY(p, i) = 1; proc[w] = IDLE; job[w] = 0 }
}
inline surprise(w, p, i) {
  d_step { up && proc[w] == ACTED && job[w] == JOB(p, i) && status[p] == running ->
    ROW(p, i) = DONE; proc[w] = IDLE; job[w] = 0; DO_halt(p) }
}

/* A claim whose worker is gone: repeated under its key if idempotent, else unknown, and the plan halts. */
#ifdef MUTANT_14
#define SETTLE(p, i) ROW(p, i) = ORPHAN
#else
#define SETTLE(p, i) if :: i == 0 -> ROW(p, i) = ORPHAN :: else -> ROW(p, i) = UNKNOWN; if :: MAY_halt(p) -> DO_halt(p) :: else -> skip fi fi
#endif
#define SETTLE_IF(p, i) if :: ROW(p, i) == CLAIMED -> SETTLE(p, i) :: else -> skip fi

/* The watchdog: a lease lapses at any moment, and its worker is killed before the row moves. */
inline kill(w, p, i) {
  d_step {
    up && proc[w] != IDLE && job[w] == JOB(p, i) && ROW(p, i) == CLAIMED ->
    SETTLE(p, i);
#ifndef MUTANT_15
    proc[w] = IDLE; job[w] = 0
#else
    skip
#endif
  }
}

/* ---- crash and restart ---- */
inline crash() { d_step { up -> up = 0 } }
inline die(w) { d_step { !up && proc[w] != IDLE -> proc[w] = IDLE; job[w] = 0 } }
inline restart() {
  d_step {
    !up && WORKERS_GONE ->
    up = 1;
    SETTLE_IF(0, 0); SETTLE_IF(0, 1); SETTLE_IF(0, 2); SETTLE_IF(1, 0); SETTLE_IF(1, 1); SETTLE_IF(1, 2)
#ifdef MUTANT_2
    ; if :: status[0] == revoked && ROW(0, 0) != FREE -> DO_start(0) :: else -> skip fi
#endif
  }
}

/* ---- supersession: finished steps become facts, nothing else is inherited ---- */
inline revise() {
  d_step {
    up && status[0] == halted && status[1] == absent && undoing[0] == 0 && QUIET(0) ->
    if :: KEEPS(0) -> kept[0] = 1; ROW(1, 0) = DONE :: else -> skip fi;
    if :: KEEPS(1) -> kept[1] = 1; ROW(1, 1) = DONE :: else -> skip fi;
    FORGET_RUN(0);
    BIRTH(1)
#ifdef MUTANT_6
    ; digest[1] = digest[0]; DO_approve(1)
#endif
  }
}

/* ---- rollback: approved with its plan, outlives expiry and revocation, never beneath a revision ---- */
inline undo_begin(p) {
  d_step { up && MAY_undo(p) && QUIET(p) && undoing[p] == 0 && digest[p] != 0 && UNBUILT(p) -> undoing[p] = 1 }
}
#ifdef MUTANT_23
inline undo_restore(p) {
  d_step { up && MAY_undo(p) && QUIET(p) && undoing[p] < 2 && digest[p] != 0 && UNBUILT(p) -> JUDGE(8, undoing[p] == 1); undoing[p] = 2 }
}
#else
inline undo_restore(p) {
  d_step { up && undoing[p] == 1 -> JUDGE(8, undoing[p] == 1); JUDGE(1, confirmed[p] != 0 || gated[p] != 0); undoing[p] = 2 }
}
#endif
inline undo_end(p) { d_step { up && undoing[p] == 2 && MAY_undo(p) -> DO_undo(p) } }

/* ---- properties: these must hold ---- */
ltl I1 { [] (!broke[1]) }
ltl I2 { [] (!broke[2]) }
ltl I3 { [] (!broke[3]) }
ltl I4 { [] (!broke[4]) }
ltl I8 { [] (!broke[8]) }
ltl I10 { [] (!broke[10]) }

/* ---- witnesses: these must be refuted, or the model says nothing ---- */
ltl reach_I1_a_plan_is_done { [] (!(status[0] == done)) }
ltl reach_I2_privileged_step_runs_confirmed { [] (!(heavy && DID(0, 1) && confirmed[0] == 1)) }
ltl reach_I3_revision_goes_on_from_kept_step { [] (!(status[1] == done && kept[0] && DID(1, 1))) }
ltl reach_I4_unknown_outcome_halts { [] (!(ROW(0, 1) == UNKNOWN && DID(0, 1) && status[0] == halted)) }
ltl reach_I4_idempotent_step_is_repeated { [] (!(ROW(0, 0) == ORPHAN && DID(0, 0) && status[0] == running && up)) }
ltl reach_I8_deferred_then_allowed { [] (!(status[0] == deferred && verdict[0] == ALLOW)) }
ltl reach_I10_destruction_after_snapshot { [] (!(heavy && DID(0, 1) && snapshot[0] == VERIFIED)) }
ltl reach_tampered_plan_is_halted { [] (!(status[0] == halted && tampered && digest[0] == 1 && body[0] == 1)) }
ltl reach_rollback_after_revocation { [] (!(status[0] == rolled_back && recalled[0] && DID(0, 1))) }
ltl reach_rollback_after_expiry { [] (!(status[0] == rolled_back && late[0] && DID(0, 0) && !recalled[0])) }
ltl reach_both_plans_rolled_back { [] (!(status[0] == rolled_back && status[1] == rolled_back && DID(0, 0) && DID(1, 1))) }

#define WORKER_RULES(w, p, i) :: claim(w, p, i) :: release(w, p, i) :: act(w, p, i) :: record(w, p, i) :: surprise(w, p, i) :: kill(w, p, i)
#define PLAN_RULES(p) \
  :: judge_plan(p, DENY) :: judge_plan(p, DEFER) :: judge_plan(p, ASK) :: judge_plan(p, ALLOW) \
  :: apply_deny(p) :: apply_defer(p) :: apply_ask(p) :: apply_allow(p) \
  :: confirm(p, 0) :: confirm(p, 1) :: confirm(p, 2) :: withdraw(p, 0) :: withdraw(p, 1) :: withdraw(p, 2) \
  :: refuse(p) :: approve(p) :: revoke(p) :: halt(p) :: tick(p) :: expire(p) :: tamper(p) \
  :: seal(p) :: start(p) :: finish(p) :: verify(p) \
  :: snap(0, p, TORN) :: snap(0, p, STORED) :: snap(1, p, TORN) :: snap(1, p, STORED) \
  :: undo_begin(p) :: undo_restore(p) :: undo_end(p) \
  WORKER_RULES(0, p, 0) WORKER_RULES(0, p, 1) WORKER_RULES(0, p, 2) \
  WORKER_RULES(1, p, 0) WORKER_RULES(1, p, 1) WORKER_RULES(1, p, 2)

active proctype life() {
end:
  do
  :: propose(0)
  :: propose(1)
  PLAN_RULES(0)
  PLAN_RULES(1)
  :: crash()
  :: die(0)
  :: die(1)
  :: restart()
  :: revise()
#ifdef MUTANT_3
  :: replay(0)
#endif
#ifdef MUTANT_13
  :: look(0, 0, 0) :: look(0, 0, 1) :: look(1, 0, 0) :: look(1, 0, 1)
#endif
  od
}
