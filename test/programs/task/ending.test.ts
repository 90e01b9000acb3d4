import { assert, describe, it } from "@effect/vitest"
import { Cause, Exit } from "effect"
import * as TaskFailure from "../../../src/programs/celery/TaskFailure.ts"
import { HardTimeLimit, SoftTimeLimit } from "../../../src/programs/runtime/TimeLimits.ts"
import { Blocked, NotYet, PutBack, RetryLater } from "../../../src/programs/task/Task.ts"
import { type Ended, type Ending, endingOf, isNotStarted } from "../../../src/programs/task/ending.ts"
import { delaySeconds } from "../../../src/programs/task/retryPolicy.ts"

const failure = TaskFailure.generationError("no picture")
const retry = (counted: boolean) => new RetryLater({ reason: "fal busy", failure, counted, atLeast: 0 })
const putBack = new PutBack({ reason: "fal account", detail: "" })
const notYet = new NotYet({ reason: "rate limit", after: 1 })
const blocked = new Blocked({ by: "fal-ai/x", why: "403", after: 1, reason: "closed" })
const result = { value: {}, children: [] }
const bug = Cause.die(new Error("a bug"))
const tries = (retries: number, uncounted = 0) => ({ retries, uncounted, most: 3 })

const rows: ReadonlyArray<readonly [what: string, exit: Ended, tries: ReturnType<typeof tries>, is: Ending]> = [
  ["it gave a result", Exit.succeed({ _tag: "Done", result }), tries(0), { _tag: "Succeeded", result }],
  ["it was revoked", Exit.succeed({ _tag: "Terminated", signal: "TERM" }), tries(0), { _tag: "Terminated", signal: "TERM" }],
  ["it failed", Exit.fail(failure), tries(0), { _tag: "Failed", failure }],
  ["it may be tried again", Exit.fail(retry(true)), tries(2), { _tag: "Retry", later: retry(true) }],
  ["it was tried often enough", Exit.fail(retry(true)), tries(3), { _tag: "Exhausted", later: retry(true) }],
  ["some of its tries do not count", Exit.fail(retry(true)), tries(3, 1), { _tag: "Retry", later: retry(true) }],
  ["this try does not count", Exit.fail(retry(false)), tries(9), { _tag: "Retry", later: retry(false) }],
  ["its account is refused", Exit.fail(putBack), tries(0), { _tag: "PutBack", reason: putBack }],
  ["its turn has not come", Exit.fail(notYet), tries(0), { _tag: "Held", until: notYet }],
  ["what it needs is closed", Exit.fail(blocked), tries(0), { _tag: "Parked", by: blocked }],
  ["the soft limit came", Exit.fail(new SoftTimeLimit()), tries(0), { _tag: "SoftLimit" }],
  ["the hard limit came", Exit.fail(new HardTimeLimit()), tries(0), { _tag: "HardLimit" }],
  ["its program has a defect", Exit.failCause(bug), tries(0), { _tag: "Broken", cause: bug }],
  ["the worker stops", Exit.failCause(Cause.interrupt()), tries(0), { _tag: "Interrupted" }],
  [
    "its program has a defect while the worker stops",
    Exit.failCause(Cause.combine(bug, Cause.interrupt())),
    tries(0),
    { _tag: "Broken", cause: Cause.combine(bug, Cause.interrupt()) }
  ]
]

describe("the end of a run means, when", () => {
  for (const [what, exit, tries, is] of rows) it(`${what}: ${is._tag}`, () => assert.deepStrictEqual(endingOf(exit, tries), is))

  it("nothing is told of a task that has not begun or is to begin once more", () => {
    const aside = rows.flatMap(([, , , ending]) => (isNotStarted(ending) ? [ending._tag] : []))
    assert.deepStrictEqual(aside, ["PutBack", "Held", "Parked", "Interrupted"])
  })
})

describe("a retry is made", () => {
  const backOff = { first: 2, longest: 60 }
  it("after at most twice as long each time, and never longer than the longest", () =>
    assert.deepStrictEqual(
      [0, 1, 2, 5, 400].map((retries) => delaySeconds(retries, { atLeast: 0 }, backOff, 1)),
      [2, 4, 8, 60, 60]
    ))
  it("anywhere between now and then, so that tasks that failed together do not come together", () =>
    assert.deepStrictEqual(
      [0, 0.5].map((chance) => delaySeconds(1, { atLeast: 0 }, backOff, chance)),
      [0, 2]
    ))
  it("never sooner than what failed asks for", () =>
    assert.deepStrictEqual(
      [0, 1].map((chance) => delaySeconds(0, { atLeast: 30 }, backOff, chance)),
      [30, 30]
    ))
})
