import { assert, describe, it } from "@effect/vitest"
import { type Evidence, judge } from "./judge.ts"

const bought = (requestId: string, acceptedAt = 0, units = 1) => ({
  requestId,
  acceptedAt,
  units,
  seed: 1,
  endpoint: "fal-ai/flux/dev",
  prompt: "",
  state: "COMPLETED" as const,
  outcome: "picture",
  simulatedCost: 0.025,
  startedAt: 0,
  endedAt: 0
})
const booked = (request: string) => ({ task_id: "task", fal_request_id: request, outcome: "used", units: 1, cost: 25_000_000 })
const row = (request: string, id = "row") => ({ id, template_id: "t", fal_request_id: request, image_url: request })
const answer = (request: string) => ({
  state: "SUCCESS",
  value: { id: "row", fal_request_id: request, image_url: request, seed: 1, template_id: "t", version: 1 }
})
const good: Evidence = {
  sent: [{ id: "task", template: "t", seed: 1 }],
  ledger: [bought("a")],
  rows: [row("a")],
  answers: new Map([["task", answer("a")]]),
  uncertain: new Set(),
  grace: 60
}
const found = (change: Partial<Evidence>) =>
  Object.entries(judge({ ...good, ...change })).flatMap(([what, tasks]) => (tasks.length > 0 ? [what] : []))

describe("the judge of a chaos run", () => {
  const twice = { ledger: [bought("a"), bought("b", 60_000)] }
  const cases: Readonly<Record<string, readonly [Partial<Evidence>, ReadonlyArray<string>]>> = {
    "finds nothing when all went well": [{}, []],
    "misses an answer": [{ answers: new Map() }, ["lost"]],
    "misses a success": [{ answers: new Map([["task", { state: "FAILURE" }]]) }, ["lost"]],
    "misses a row": [{ rows: [] }, ["lost", "wrong"]],
    "counts rows": [{ rows: [row("a"), row("b", "other")] }, ["savedTwice"]],
    "counts payments": [twice, ["paidTwice"]],
    "forgives one more where the first was uncertain": [{ ...twice, uncertain: new Set(["task"]) }, ["resubmitted"]],
    "but not before its grace": [{ ledger: [bought("a"), bought("b", 59_000)], uncertain: new Set(["task"]) }, ["paidTwice"]],
    "and not a third": [{ ledger: [...twice.ledger, bought("c", 120_000)], uncertain: new Set(["task"]) }, ["paidTwice"]],
    "forgives one more where the first was forgotten": [
      { ledger: [bought("a"), bought("b", 1000)], forgotten: { requests: ["task"], ends: new Set() } },
      ["repaid"]
    ],
    "and no more than were forgotten": [
      { ledger: [bought("a"), bought("b", 1000), bought("c", 2000)], forgotten: { requests: ["task"], ends: new Set() } },
      ["paidTwice"]
    ],
    "forgives an end that was forgotten": [
      { answers: new Map([["task", { state: "PENDING" }]]), forgotten: { requests: [], ends: new Set(["task"]) } },
      ["forgotten"]
    ],
    "and no failure for it": [
      { answers: new Map([["task", { state: "FAILURE" }]]), forgotten: { requests: [], ends: new Set(["task"]) } },
      ["lost"]
    ],
    "forgives what fal did not charge for": [{ ledger: [bought("b", 0, 0), bought("a")] }, []],
    "finds nothing in books that are the bill": [{ books: [booked("a")] }, []],
    "misses a billed request in the books": [{ books: [] }, ["misbooked"]],
    "takes one that is booked as lost": [
      { books: [{ ...booked("a"), fal_request_id: null, outcome: "uncertain" }], rows: [] },
      ["lost", "wrong"]
    ],
    "counts what is booked": [{ books: [booked("a"), booked("a")] }, ["misbooked"]],
    "counts in nano-dollars": [{ books: [{ ...booked("a"), cost: 25_000_001 }] }, ["misbooked"]],
    "wants a saved picture to be booked as used": [{ books: [{ ...booked("a"), outcome: "wasted" }] }, ["misbooked"]],
    "wonders at a request that fal does not know": [{ books: [booked("a"), booked("z")] }, ["misbooked"]],
    "compares the answer with the row": [{ rows: [row("b")] }, ["wrong"]],
    "wonders who asked for a picture": [{ ledger: [bought("a"), { ...bought("b"), seed: 2 }] }, ["wrong"]]
  }
  for (const [name, [change, expected]] of Object.entries(cases)) it(name, () => assert.deepStrictEqual(found(change), expected))
})
