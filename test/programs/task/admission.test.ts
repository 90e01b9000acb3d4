import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { type Admission, admission, type Facts } from "../../../src/programs/task/admission.ts"
import type { Standing } from "../../../src/programs/task/Task.ts"

const NOW = 1_000_000
const success = { task_id: "t", status: "SUCCESS", result: null, traceback: null, children: [], date_done: null }

/** A task that nothing keeps from being run. */
const facts = (
  over: Partial<Omit<Facts<string>, "message">> & { readonly message?: Partial<Facts<string>["message"]> } = {}
): Facts<string> => ({
  now: NOW,
  standing: Option.some("nothing"),
  program: "program",
  isRevoked: false,
  isRunning: false,
  earlier: Option.none(),
  turn: () => NOW,
  ...over,
  message: { expires: Option.none(), eta: Option.none(), crashes: 0, rested: 0, ...over.message }
})
const stands = (standing: Standing) => ({ standing: Option.some(standing) })
const expired = { expires: Option.some(NOW) }
const later = { eta: Option.some(NOW + 1) }

const rows: ReadonlyArray<readonly [what: string, given: Facts<string>, is: Admission<string>]> = [
  ["nothing keeps it", facts(), { _tag: "Admitted", program: "program" }],
  ["it is due now", facts({ message: { eta: Option.some(NOW) } }), { _tag: "Admitted", program: "program" }],
  ["the journal cannot be read", facts({ standing: Option.none() }), { _tag: "StandingUnknown" }],
  [
    "the journal cannot be read, though it is too late",
    facts({ standing: Option.none(), message: expired }),
    { _tag: "StandingUnknown" }
  ],
  ["it is too late", facts({ message: expired }), { _tag: "Expired" }],
  ["it is too late, but paid", facts({ ...stands("paid"), message: expired }), { _tag: "Admitted", program: "program" }],
  ["it is too late, and another task of its id was paid", facts({ ...stands("another"), message: expired }), { _tag: "Expired" }],
  ["it is early", facts({ message: later }), { _tag: "NotDue", at: NOW + 1 }],
  ["it is early and revoked", facts({ isRevoked: true, message: later }), { _tag: "NotDue", at: NOW + 1 }],
  ["it is revoked", facts({ isRevoked: true }), { _tag: "Revoked" }],
  ["nobody knows it", facts({ program: undefined }), { _tag: "NotRegistered" }],
  ["three workers died over it", facts({ message: { crashes: 3 } }), { _tag: "CrashedTooOften" }],
  ["two workers died over it", facts({ message: { crashes: 2 } }), { _tag: "Admitted", program: "program" }],
  [
    "three workers died over it, and it is paid",
    facts({ ...stands("paid"), message: { crashes: 3 } }),
    { _tag: "RestsAfterCrashes", seconds: 5 }
  ],
  [
    "three workers died over it, it is paid and has rested",
    facts({ ...stands("paid"), message: { crashes: 3, rested: 3 } }),
    { _tag: "Admitted", program: "program" }
  ],
  ["it has succeeded before", facts({ earlier: Option.some(success) }), { _tag: "AlreadySucceeded", before: success }],
  [
    "a success is stored, but our picture is not there",
    facts({ ...stands("asked"), earlier: Option.some(success) }),
    { _tag: "Admitted", program: "program" }
  ],
  [
    "it has failed before",
    facts({ earlier: Option.some({ ...success, status: "FAILURE" }) }),
    { _tag: "Admitted", program: "program" }
  ],
  ["it runs here already", facts({ isRunning: true }), { _tag: "AlreadyRunning" }],
  ["its turn comes later", facts({ turn: () => NOW + 500 }), { _tag: "RateLimited", at: NOW + 500 }],
  [
    "it has begun, and so had its turn",
    facts({ ...stands("asked"), turn: () => NOW + 500 }),
    { _tag: "Admitted", program: "program" }
  ]
]

describe("a task is admitted, or not, when", () => {
  for (const [what, given, is] of rows) it(`${what}: ${is._tag}`, () => assert.deepStrictEqual(admission(given), is))

  it("something else keeps it: no turn is taken at the rate limit", () => {
    let turns = 0
    const turn = () => ++turns
    for (const [, given, is] of rows) if (is._tag !== "Admitted" && is._tag !== "RateLimited") admission({ ...given, turn })
    assert.strictEqual(turns, 0)
  })
})
