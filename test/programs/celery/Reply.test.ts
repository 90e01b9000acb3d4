import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Message from "../../../src/programs/celery/Message.ts"
import type * as NewMessage from "../../../src/programs/celery/NewMessage.ts"
import * as Reply from "../../../src/programs/celery/Reply.ts"
import * as TaskFailure from "../../../src/programs/celery/TaskFailure.ts"
import { UTC } from "../../../src/programs/celery/Time.ts"
import { message } from "../../support.ts"
import { type Document, documents, fixture, versions } from "./fixtures.ts"

const whose = { id: "me", group: null, parentId: null }
const now = Date.parse("2026-11-23T16:17:15.111Z")
const boom = TaskFailure.generationError("boom")
const ours = {
  SUCCESS: Reply.success(whose, { a: 1 }, [], now),
  FAILURE: Reply.failure(whose, boom, now),
  RETRY: Reply.retry(whose, boom, { delaySeconds: 1.5 }),
  REVOKED: Reply.revoked(whose, "expired", now)
} as const

/** A value's form: its type, and for an object its keys in their order. */
const form = (value: unknown): unknown =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "object" ? Object.keys(value) : typeof value
const isOf = (status: string) => (one: { readonly document: Document }) => one.document.status === status
const own = new Set(["group_id", "parent_id", "name", "args", "kwargs", "worker", "retries", "queue"])
const keys = (document: object) => Object.keys(document).filter((key) => !own.has(key))

for (const version of versions) {
  describe(`beside the documents of a Celery ${version} worker`, () => {
    for (const status of ["SUCCESS", "FAILURE", "RETRY", "REVOKED"] as const) {
      it(`our ${status} has the same keys and forms`, () => {
        const theirs = documents(version).filter(isOf(status))
        assert.isAbove(theirs.length, 0)
        const our: Document = ours[status]
        for (const { document } of theirs) {
          assert.sameMembers(keys(our), keys(document))
          // 5.6.3 writes the offset and, for a task revoked by the control command, null children.
          const date = String(document.date_done)
            .replace("+00:00", "")
            .replace(/\.\d{6}$/, "")
          if (document.date_done !== null) assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/)
          assert.strictEqual(our.date_done === null, document.date_done === null)
          if (document.children !== null) assert.strictEqual(form(our.children), "array")
          if (status === "FAILURE" || status === "REVOKED" || (status === "RETRY" && document.result !== null))
            assert.deepStrictEqual(form(our.result), form(document.result))
        }
      })
    }

    it("our unregistered task and our expired one say what theirs say, word for word", () => {
      const resultOf = (name: string) => documents(version).find((one) => one.name === name)!.document.result
      assert.deepStrictEqual(TaskFailure.document(TaskFailure.notRegistered("no.such")), resultOf("failure-unregistered"))
      assert.deepStrictEqual(Reply.revoked(whose, "expired", now).result, resultOf("expired"))
      assert.deepStrictEqual(TaskFailure.document(TaskFailure.softTimeLimitExceeded()), resultOf("soft-timeout"))
    })

    it("our limits and lost workers carry the classes of theirs", () => {
      const classOf = (name: string) => {
        const { exc_module, exc_type } = documents(version).find((one) => one.name === name)!.document.result as {
          exc_module: string
          exc_type: string
        } // a FAILURE
        return { exc_module, exc_type }
      }
      const { exc_message: _, ...hard } = TaskFailure.document(TaskFailure.timeLimitExceeded("300"))
      const { exc_message: __, ...lost } = TaskFailure.document(TaskFailure.workerLost("gone"))
      assert.deepStrictEqual(hard, classOf("hard-timeout"))
      assert.deepStrictEqual(lost, classOf("worker-lost-sigkill"))
    })
  })
}

describe("a reply", () => {
  it("names its group and its parent only when it has one", () => {
    const inGroup = Reply.success({ id: "me", group: "g", parentId: "p" }, {}, [], now)
    assert.deepInclude(inGroup, { group_id: "g", parent_id: "p" })
    assert.notProperty(ours.SUCCESS, "group_id")
    assert.notProperty(ours.SUCCESS, "parent_id")
  })

  it("gives its time in UTC with microseconds and no offset, as 5.3 does", () => {
    assert.strictEqual(ours.SUCCESS.date_done, "2026-11-23T16:17:15.111000")
  })

  it("of a retry has the task itself for its child and tells when it comes again", () => {
    const captured = documents("5.3.6").find(isOf("RETRY"))
    assert.deepStrictEqual(ours.RETRY.children, [[["me", null], null]])
    assert.match(String(captured!.document.traceback), /celery\.exceptions\.Retry: Retry in 1s: /)
    assert.match(String(ours.RETRY.traceback), /celery\.exceptions\.Retry: Retry in 1\.50s: GenerationError: boom/)
  })
})

describe("with result_extended and task_track_started", () => {
  const captured = fixture<ReadonlyArray<{ readonly data: string }>>("results-extended-5.3.6").map(({ data }) => data)
  const tidy = (document: object) => JSON.stringify({ ...document, task_id: "", date_done: null })
  const read = (task: Partial<NewMessage.NewTask>) => Message.decode(message({ queue: "celery", ...task }).raw, UTC)

  it.effect("our STARTED and our SUCCESS are theirs, word for word and in their order", () =>
    Effect.gen(function* () {
      const plus = yield* read({ task: "app.tasks.add", args: [2], kwargs: { y: 3 } })
      const whose = { ...plus, extended: Reply.extended(plus, "x1@host") }
      const [started, success] = captured.map((data) => JSON.parse(data) as object) // the first two, of this task
      assert.strictEqual(tidy(Reply.started(whose, { pid: 11443, name: "x1@host" })), tidy(started!))
      assert.strictEqual(tidy(Reply.success(whose, 5, [], now)), tidy(success!))
    })
  )

  it.effect("stamps stand beside the rest and take nothing's place", () =>
    Effect.gen(function* () {
      const stamped = yield* read({ task: "t" })
      const headers = {
        ...stamped.envelope.headers,
        stamped_headers: ["project", "status"],
        stamps: { project: "p1", status: "x" }
      }
      const extended = Reply.extended({ ...stamped, envelope: { ...stamped.envelope, headers } }, "w@h")
      const told: object = Reply.success({ ...stamped, extended }, 5, [], now)
      assert.deepInclude(told, { status: "SUCCESS", project: "p1", stamped_headers: ["project", "status"] })
      assert.strictEqual(Object.keys(told).at(-1), "task_id")
    })
  )
})

describe("a failure as the Python client rebuilds it", () => {
  interface Rebuilt {
    readonly case: string
    readonly stored_result: { readonly exc_type: string; readonly exc_message: unknown; readonly exc_module: string }
    readonly get: string
  }
  const { rebuild } = fixture<{ rebuild: ReadonlyArray<Rebuilt> }>("client-behaviour-5.3.6")
  const named = (name: string) => rebuild.find((one) => one.case === name)!

  it("is of the form that is raised under its own name", () => {
    const good = named("unknown module")
    assert.match(good.get, /^raises celery\.exceptions\.TsError/)
    const document = TaskFailure.document(TaskFailure.validationError("gender: is missing"))
    assert.deepStrictEqual(Object.keys(document), Object.keys(good.stored_result))
    assert.isArray(document.exc_message)
  })

  it("is of none of the forms that the client cannot read", () => {
    const all = [
      TaskFailure.validationError,
      TaskFailure.generationError,
      TaskFailure.contentRefused,
      TaskFailure.pictureFlagged,
      TaskFailure.versionExists,
      TaskFailure.modelNotFound,
      TaskFailure.libraryError,
      TaskFailure.internalError
    ].map((make) => TaskFailure.document(make("why")))
    for (const { exc_message, exc_module, exc_type } of all) {
      assert.match(exc_type, /^[A-Z][A-Za-z]+$/)
      assert.strictEqual(exc_module, "model_generator.errors") // which no Python process imports
      assert.deepStrictEqual(exc_message, ["why"])
    }
  })
})
