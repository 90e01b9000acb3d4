import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Effect, Fiber, Layer, Option } from "effect"
import * as Message from "../../src/programs/celery/Message.ts"
import * as NewMessage from "../../src/programs/celery/NewMessage.ts"
import type { WorkerInfo } from "../../src/services/Lease.ts"
import { type Claimed, MAX_MESSAGE } from "../../src/services/TaskQueue.ts"
import { WorkerIdentity } from "../../src/services/WorkerIdentity.ts"
import { everyRole, type EveryRole, type Role } from "../roles.ts"
import { eventually, message } from "../support.ts"

const infoOf = (me: WorkerIdentity["Service"]): WorkerInfo => ({
  name: me.name,
  boot: me.boot,
  host: me.host,
  pid: me.pid,
  machine: me.machine,
  version: "0",
  queues: ["generator_queue"],
  startedAt: 0,
  metrics: "",
  processed: 0,
  consuming: true,
  doing: ""
})

export interface Fleet {
  /**
   * One worker's view of a broker that is empty at the start of each test and shared by the workers of that test. No answer of
   * the broker comes in the turn that asks for it, so that a call interrupted at once is one whose answer was lost.
   */
  readonly worker: (name: string, overrides?: Partial<WorkerIdentity["Service"]>) => Layer.Layer<Role | WorkerIdentity>
}

const inLayer = <A, E, R>(layer: Layer.Layer<R>, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Layer.build(layer), (context) => Effect.provideContext(effect, context))

const claimed = (queue: EveryRole) => Effect.map(queue.claim, Option.getOrThrow)
const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    const value = yield* effect
    return { from, to: yield* Clock.currentTimeMillis, value }
  })
const readable = (raw: string) => JSON.parse(raw) as { headers: Record<string, unknown>; properties: Record<string, unknown> } // written by us

/** What every task queue keeps, be it Redis or this process. `fleet` gives an empty broker each time. */
export const taskQueueContract = (name: string, fleet: Effect.Effect<Fleet, never, import("effect").Scope.Scope>) => {
  const alone = <A, E>(test: (queue: EveryRole) => Effect.Effect<A, E, WorkerIdentity>) =>
    Effect.gen(function* () {
      const { worker } = yield* fleet
      return yield* Effect.flatMap(everyRole, test).pipe(Effect.provide(worker("celery@one")))
    })
  const queueOf = (layer: Layer.Layer<Role | WorkerIdentity>) =>
    inLayer(
      layer,
      Effect.gen(function* () {
        const queue = yield* everyRole
        const me = yield* WorkerIdentity
        return { queue, info: infoOf(me), beat: queue.beat(infoOf(me)) }
      })
    )

  describe(name, () => {
    it.live("gives the most urgent first, and the oldest among equals", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([
            message({ id: "a" }),
            message({ id: "b" }),
            message({ id: "c", priority: 9 }),
            message({ id: "d", priority: 4 })
          ])
          const order: Array<unknown> = []
          for (let n = 0; n < 4; n++) {
            const delivery = yield* claimed(queue)
            order.push(readable(delivery.raw).headers["id"])
            yield* queue.acknowledge(delivery)
          }
          assert.deepStrictEqual(order, ["a", "b", "d", "c"])
          assert.isTrue(Option.isNone(yield* queue.claim))
        })
      )
    )

    it.live("wakes who waits when a message comes, at any priority, and takes nothing by waiting", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          for (const priority of [0, 3, 6, 9]) {
            const waiting = yield* Effect.forkChild(queue.awaitMessage)
            yield* queue.publish([message({ priority })])
            yield* Fiber.join(waiting)
            yield* queue.acknowledge(yield* claimed(queue))
          }
          const interrupted = yield* Effect.forkChild(queue.awaitMessage)
          yield* Effect.yieldNow
          yield* Fiber.interrupt(interrupted)
          yield* queue.publish([message()])
          assert.isTrue(Option.isSome(yield* queue.claim))
        })
      )
    )

    it.live("a claimed message is among the unacknowledged until it is acknowledged", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message()])
          const delivery = yield* claimed(queue)
          assert.strictEqual((yield* queue.status).unacknowledged, 1)
          yield* queue.acknowledge(delivery)
          yield* queue.acknowledge(delivery) // harmless
          assert.strictEqual((yield* queue.status).unacknowledged, 0)
        })
      )
    )

    it.live("the step that acknowledges takes the next message with it, and nothing when there is none", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "first" }), message({ id: "second" }), message({ id: "urgent", priority: 9 })])
          const first = yield* claimed(queue)
          const second = Option.getOrThrow(yield* queue.acknowledge(first, { next: true }))
          assert.strictEqual(readable(second.raw).headers["id"], "second")
          assert.strictEqual((yield* queue.status).unacknowledged, 1)
          const urgent = Option.getOrThrow(yield* queue.hold(second, Date.now() + 60_000, { next: true }))
          assert.strictEqual(readable(urgent.raw).headers["id"], "urgent")
          assert.isTrue(Option.isNone(yield* queue.acknowledge(urgent, { next: true })))
          assert.deepInclude(yield* queue.status, { unacknowledged: 1, scheduled: 1 })
        })
      )
    )

    it.live("the step that acknowledges leaves a message that a worker died over for a claim of its own", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "first" }), message({ id: "heavy" }), message({ id: "behind" })])
          const first = yield* claimed(queue)
          yield* queue.handBack(yield* claimed(queue), { crashed: true })
          assert.isTrue(Option.isNone(yield* queue.acknowledge(first, { next: true })))
          const heavy = yield* claimed(queue)
          assert.isTrue(heavy.suspect)
          assert.strictEqual(readable(heavy.raw).headers["id"], "heavy")
          assert.strictEqual((yield* queue.status).unacknowledged, 1)
        })
      )
    )

    it.live("a message handed back is next in line, flagged as redelivered, and counts a crash only when there was one", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "first" }), message({ id: "second" })])
          yield* queue.handBack(yield* claimed(queue), { crashed: false })
          const again = yield* claimed(queue)
          assert.strictEqual(readable(again.raw).headers["id"], "first")
          assert.strictEqual(readable(again.raw).headers["redelivered"], true)
          assert.isUndefined(readable(again.raw).properties["crashes"])
          yield* queue.handBack(again, { crashed: true })
          const third = yield* claimed(queue)
          assert.strictEqual(readable(third.raw).properties["crashes"], 1)
          assert.deepInclude(readable(third.raw).properties["delivery_info"], {
            routing_key: "generator_queue",
            redelivered: true
          })
        })
      )
    )

    it.live("a message held until a time comes back then, and not before", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "later" })])
          const delivery = yield* claimed(queue)
          const at = Date.now() + 1000
          yield* queue.hold(delivery, at)
          const early = yield* queue.release
          assert.strictEqual(early.due, 0)
          assert.closeTo(Option.getOrThrow(early.nextDue), at, 50)
          assert.strictEqual((yield* queue.status).scheduled, 1)
          assert.isTrue(Option.isNone(yield* queue.claim))
          yield* eventually("released", queue.release, ({ due }) => due === 1)
          assert.isAtLeast(Date.now(), at - 2)
          const due = yield* claimed(queue)
          assert.deepStrictEqual(due.raw, delivery.raw)
        })
      )
    )

    it.live("what is parked can be made due at once, in the order given; what is not parked any more is left alone", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          const names = ["first", "second", "third"]
          yield* queue.publish(names.map((id) => message({ id })))
          const parked = []
          for (const _ of names) {
            const delivery = yield* claimed(queue)
            yield* queue.hold(delivery, Date.now() + 3_600_000)
            parked.push(delivery)
          }
          yield* queue.publish([message({ id: "held" })])
          const held = yield* claimed(queue)
          yield* queue.bringForward([parked[2]!.tag, held.tag, "never heard of", parked[0]!.tag])
          let due = 0
          yield* eventually("released", queue.release, (released) => (due += released.due) === 2)
          const back = [yield* claimed(queue), yield* claimed(queue)]
          assert.sameMembers(
            back.map(({ raw }) => readable(raw).headers["id"]),
            ["third", "first"]
          )
          assert.deepInclude(yield* queue.status, { unacknowledged: 4, scheduled: 1 })
        })
      )
    )

    it.live("a retry takes the place of its message in one step", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "again" })])
          const delivery = yield* claimed(queue)
          yield* queue.retry(delivery, message({ id: "again", tag: "next", retries: 1 }), Date.now())
          yield* queue.retry(delivery, message({ id: "again", tag: "twice", retries: 1 }), Date.now()) // no longer ours: nothing happens
          assert.deepInclude(yield* queue.status, { unacknowledged: 1, scheduled: 1 })
          yield* eventually("released", queue.release, ({ due }) => due === 1)
          const next = yield* claimed(queue)
          assert.strictEqual(readable(next.raw).properties["delivery_tag"], "next")
          assert.strictEqual(readable(next.raw).headers["retries"], 1)
        })
      )
    )

    it.live("it is known since when a message has waited, as far as the beats saw it come", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const { beat, queue } = yield* queueOf(worker("celery@one"))
        const oldest = Effect.map(queue.status, ({ queues }) => Option.getOrElse(queues[0]!.oldestSeconds, () => -1))
        yield* queue.publish([message(), message()])
        assert.strictEqual(yield* oldest, -1)
        const first = yield* timed(beat)
        yield* queue.publish([message(), message({ priority: 6 })])
        yield* eventually("waits", oldest, (seconds) => seconds > 0.2)
        const second = yield* timed(beat)
        yield* queue.publish([message()])
        yield* eventually("waits", oldest, (seconds) => seconds > 0.4)
        const claims = yield* Effect.replicateEffect(timed(claimed(queue)), 5)
        const seen = [first, first, second, claims[3]!, second] // the fourth came after the last beat
        for (const [at, { from, to, value }] of claims.entries()) {
          // A moment of the beat's, as far as can be told: the claim's answer was under way for a while.
          assert.isAtLeast(value.seenSince, seen[at]!.from - 2)
          assert.isAtMost(value.seenSince, seen[at]!.to + (to - from) + 2)
        }
        assert.strictEqual(yield* oldest, -1)
      })
    )

    it.live("a dead letter leaves the unacknowledged and is counted", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message(), { tag: "", queue: "generator_queue", priority: 0, raw: "not \u0000 json" }])
          yield* queue.bury(yield* claimed(queue), { reason: "test", error: "because" })
          const garbage = yield* claimed(queue)
          assert.strictEqual(garbage.raw, "not \u0000 json")
          yield* queue.bury(garbage, { reason: "unreadable", error: "not JSON" })
          const status = yield* queue.status
          assert.strictEqual(status.unacknowledged, 0)
          assert.strictEqual(status.queues[0]!.dead, 2)
        })
      )
    )

    it.live(
      "a message handed back tells what its worker knows of the request it pays for, until that is known to be nothing",
      () =>
        alone(
          Effect.fnUntraced(function* (queue) {
            yield* queue.publish([message()])
            const known = { attempt: 0.25, endpoint: "owner/app", requestId: "r-1" }
            const told: Array<unknown> = []
            for (const options of [
              { generation: known },
              {},
              { generation: { ...known, requestId: "r-2" } },
              { generation: null },
              {}
            ]) {
              yield* queue.handBack(yield* claimed(queue), { crashed: false, ...options })
              const again = yield* claimed(queue)
              told.push(readable(again.raw).properties["generation"])
              yield* queue.handBack(again, { crashed: true })
            }
            assert.deepStrictEqual(told, [known, known, { ...known, requestId: "r-2" }, undefined, undefined])
          })
        )
    )

    it.live("a dead letter can be looked at, sent back with a clean record, and dropped, once each", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "poison" })])
          yield* queue.handBack(yield* claimed(queue), { crashed: true })
          yield* queue.bury(yield* claimed(queue), { reason: "crashed its worker", error: "boom" })
          const [letter] = yield* queue.deadLetters.list(10)
          assert.deepInclude(JSON.parse(letter!.text), {
            reason: "crashed its worker",
            error: "boom",
            worker: "celery@one",
            deliveries: 2
          })
          assert.isTrue(yield* queue.deadLetters.redrive(letter!))
          assert.isFalse(yield* queue.deadLetters.redrive(letter!))
          const again = yield* claimed(queue)
          assert.strictEqual(readable(again.raw).headers["id"], "poison")
          assert.isUndefined(readable(again.raw).properties["crashes"])
          yield* queue.bury(again, { reason: "again", error: "" })
          const [second] = yield* queue.deadLetters.list(10)
          assert.isTrue(yield* queue.deadLetters.drop(second!))
          assert.isFalse(yield* queue.deadLetters.drop(second!))
          assert.deepStrictEqual(yield* queue.deadLetters.list(10), [])
        })
      )
    )

    it.live("two messages under one delivery tag are both kept", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "x", tag: "same" }), message({ id: "y", tag: "same" })])
          const [x, y] = [yield* claimed(queue), yield* claimed(queue)]
          assert.notStrictEqual(x.tag, y.tag)
          assert.strictEqual((yield* queue.status).unacknowledged, 2)
          yield* queue.acknowledge(x)
          assert.strictEqual((yield* queue.status).unacknowledged, 1)
        })
      )
    )

    it.live("what is said again of an earlier claim of a message, because the answer was lost, does not touch a later one", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "mine" })])
          const handedBack = yield* claimed(queue)
          yield* queue.handBack(handedBack, { crashed: false })
          const held = yield* claimed(queue)
          yield* queue.hold(held, Date.now())
          yield* eventually("released", queue.release, ({ due }) => due === 1)
          const now = yield* claimed(queue)
          for (const earlier of [handedBack, held]) {
            yield* queue.handBack(earlier, { crashed: false })
            yield* queue.hold(earlier, Date.now())
            yield* queue.retry(earlier, message({ id: "mine", tag: "next" }), Date.now())
            yield* queue.bury(earlier, { reason: "test", error: "" })
            yield* queue.acknowledge(earlier)
          }
          assert.deepInclude(yield* queue.release, { due: 0, lost: 0 })
          assert.deepInclude(yield* queue.status, { unacknowledged: 1, scheduled: 0 })
          assert.isTrue(Option.isNone(yield* queue.claim))
          yield* queue.acknowledge(now)
          assert.strictEqual((yield* queue.status).unacknowledged, 0)
        })
      )
    )

    it.live("what is published once is published once", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          const batch = { key: "batch", digest: "of its arguments" }
          assert.strictEqual(yield* queue.publishOnce(batch, "first plan", [message(), message()]), "first plan")
          assert.strictEqual(yield* queue.publishOnce(batch, "other plan", [message(), message(), message()]), "first plan")
          assert.strictEqual((yield* queue.status).queues[0]!.ready["0"], 2)
        })
      )
    )

    it.live("and again for the same id with other arguments, and for another id", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          const first = { key: "batch", digest: "of its arguments" }
          for (const once of [first, { ...first, digest: "of others" }, { ...first, key: "another" }, first, first])
            yield* queue.publishOnce(once, "", [message()])
          assert.strictEqual((yield* queue.status).queues[0]!.ready["0"], 3)
        })
      )
    )

    it.live("what a dead worker held goes back, with a crash counted; a live worker is never robbed", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@one"))
        const two = yield* queueOf(worker("celery@two"))
        yield* one.beat
        yield* two.beat
        yield* one.queue.publish([message({ id: "held" })])
        yield* claimed(one.queue)
        assert.strictEqual((yield* two.queue.release).lost, 0)
        yield* one.queue.resign // as if its lease had run out
        assert.strictEqual((yield* two.queue.release).lost, 1)
        const again = yield* claimed(two.queue)
        assert.strictEqual(readable(again.raw).properties["crashes"], 1)
        assert.strictEqual((yield* two.queue.release).lost, 0)
      })
    )

    it.live(
      "a look says, from the next beat on, that somebody else holds a message, and when the next parked one falls due",
      () =>
        Effect.gen(function* () {
          const { worker } = yield* fleet
          const [one, two] = [yield* queueOf(worker("celery@one")), yield* queueOf(worker("celery@two"))]
          const sees = (by: typeof one) => Effect.andThen(by.beat, by.queue.look)
          yield* one.queue.publish([message(), message()])
          const parked = yield* claimed(one.queue)
          const due = (yield* Clock.currentTimeMillis) + 60_000
          yield* one.queue.hold(parked, due)
          assert.isFalse((yield* sees(two)).suspicious)
          assert.closeTo(Option.getOrThrow((yield* two.queue.look).nextDue), due, 500)
          const held = yield* claimed(one.queue)
          assert.isTrue((yield* sees(two)).suspicious)
          assert.isFalse((yield* sees(one)).suspicious, "its own")
          yield* one.queue.acknowledge(held)
          assert.isFalse((yield* sees(two)).suspicious)
        })
    )

    it.live("a death counts against the one message its worker held; of several each becomes suspect, and none counts it", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const heir = yield* queueOf(worker("celery@heir"))
        yield* heir.beat
        const dies = (name: string, holding: number) =>
          Effect.gen(function* () {
            const one = yield* queueOf(worker(name))
            yield* one.beat
            for (let n = 0; n < holding; n++) yield* claimed(one.queue)
            yield* one.queue.resign
            assert.strictEqual((yield* heir.queue.release).lost, holding)
          })
        const record = ({ raw, suspect }: Claimed) => {
          const { headers, properties } = readable(raw)
          return [headers["id"], properties["crashes"], properties["suspect"], suspect]
        }
        yield* heir.queue.publish([message({ id: "a" }), message({ id: "b" }), message({ id: "c" })])
        yield* dies("celery@one", 2)
        yield* dies("celery@two", 1)
        const [first, second, third] = [yield* claimed(heir.queue), yield* claimed(heir.queue), yield* claimed(heir.queue)]
        assert.sameDeepMembers(
          [record(first), record(second), record(third)],
          [
            [readable(first.raw).headers["id"], 1, true, true],
            [readable(second.raw).headers["id"], undefined, true, true],
            ["c", undefined, undefined, false]
          ]
        )
        // A retry is a run that ended in order: nothing is held against it any more.
        const again = yield* Message.decode(first.raw, DateTime.zoneMakeNamedUnsafe("UTC"))
        const next = NewMessage.again(again, { tag: "next", queue: "generator_queue", eta: 0, retries: 1, uncounted: 0 })
        yield* heir.queue.retry(first, next, Date.now() - 1000)
        yield* heir.queue.release
        assert.deepStrictEqual(record(yield* claimed(heir.queue)).slice(1), [undefined, undefined, false])
      })
    )

    it.live("what cannot carry a crash is a dead letter after a death, and what was only handed back is as it was", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const [one, two] = [yield* queueOf(worker("celery@one")), yield* queueOf(worker("celery@two"))]
        yield* one.queue.publish([{ tag: "", queue: "generator_queue", priority: 0, raw: "[1, 2" }])
        yield* one.queue.handBack(yield* claimed(one.queue), { crashed: false })
        assert.strictEqual((yield* claimed(one.queue)).raw, "[1, 2")
        assert.deepInclude(yield* two.queue.release, { lost: 1, buried: 1 })
        assert.isTrue(Option.isNone(yield* two.queue.claim))
        assert.deepStrictEqual(
          (yield* two.queue.deadLetters.list(10)).map(({ text }) => text),
          ["[1, 2"]
        )
      })
    )

    it.live("thousands that are due at once go back in passes, the oldest first, and others have their turn between two", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          const at = Date.now()
          for (let n = 0; n < 250; n++) {
            yield* queue.publish([message({ id: `due-${n}` })])
            yield* queue.hold(yield* claimed(queue), at + n)
          }
          yield* Effect.sleep("300 millis")
          assert.deepInclude(yield* queue.release, { due: 100 })
          yield* queue.publish([message({ id: "other" })])
          assert.strictEqual(readable((yield* claimed(queue)).raw).headers["id"], "due-0")
          const second = yield* queue.release
          assert.strictEqual(second.due, 100)
          assert.isAtMost(Option.getOrThrow(second.nextDue), Date.now())
          assert.deepInclude(yield* queue.release, { due: 50, nextDue: Option.none() })
          assert.deepInclude(yield* queue.release, { due: 0, more: false })
        })
      )
    )

    it.live("a message too large to be read is a dead letter as it is, claimed without its body, and held by nobody", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          const small = JSON.parse(message({ id: "large" }).raw) as Record<string, unknown> // written by us
          const raw = JSON.stringify({ ...small, body: "A".repeat(MAX_MESSAGE) })
          yield* queue.publish([{ tag: "", queue: "generator_queue", priority: 0, raw }, message({ id: "next" })])
          const large = yield* claimed(queue)
          assert.strictEqual(large.tooLarge, raw.length)
          assert.isBelow(large.raw.length, 4000)
          assert.strictEqual(readable(large.raw).headers["id"], "large")
          const status = yield* queue.status
          assert.deepStrictEqual([status.unacknowledged, status.queues[0]!.dead], [0, 1])
          yield* queue.acknowledge(large) // harmless
          assert.strictEqual(readable((yield* claimed(queue)).raw).headers["id"], "next")
        })
      )
    )

    it.live("what a claim took whose answer was lost goes back at once, no crash counted, while other claims are under way", () =>
      alone(
        Effect.fnUntraced(function* (queue) {
          yield* queue.publish([message({ id: "lost" }), message({ id: "taken" })])
          const askAndDie = yield* Effect.forkChild(queue.claim, { startImmediately: true })
          yield* Fiber.interrupt(askAndDie)
          yield* queue.beat(infoOf(yield* WorkerIdentity))
          assert.isTrue((yield* queue.look).suspicious, "held, and by nobody that knows")
          const underWay = yield* Effect.forkChild(queue.claim, { startImmediately: true })
          assert.deepInclude(yield* queue.release, { lost: 1 })
          const taken = Option.getOrThrow(yield* Fiber.join(underWay))
          assert.strictEqual(readable(taken.raw).headers["id"], "taken")
          assert.deepInclude(yield* queue.release, { lost: 0 })
          const again = yield* claimed(queue)
          assert.strictEqual(readable(again.raw).headers["id"], "lost")
          assert.isUndefined(readable(again.raw).properties["crashes"])
          assert.strictEqual((yield* queue.status).unacknowledged, 2)
        })
      )
    )

    it.live("who was robbed cannot acknowledge what another holds now", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@one"))
        const two = yield* queueOf(worker("celery@two"))
        yield* two.beat
        yield* one.queue.publish([message()])
        const mine = yield* claimed(one.queue) // never had a lease
        yield* two.queue.release
        const theirs = yield* claimed(two.queue)
        yield* one.queue.acknowledge(mine)
        assert.strictEqual((yield* two.queue.status).unacknowledged, 1)
        yield* two.queue.acknowledge(theirs)
        assert.strictEqual((yield* two.queue.status).unacknowledged, 0)
      })
    )

    it.live("a name that is alive elsewhere is refused", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@same", { host: "a" }))
        const two = yield* queueOf(worker("celery@same", { host: "b" }))
        assert.isTrue(yield* one.beat)
        assert.isFalse(yield* two.beat)
        yield* one.queue.resign
        assert.isTrue(yield* two.beat)
      })
    )

    it.live("a name is not taken from a worker on another machine that is set up alike, to the host name and process id", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@same", { machine: "a" }))
        const two = yield* queueOf(worker("celery@same", { machine: "b" }))
        yield* one.queue.publish([message()])
        assert.isTrue(yield* one.beat)
        yield* claimed(one.queue)
        assert.isFalse(yield* two.beat)
        assert.isTrue(yield* one.beat)
        assert.strictEqual((yield* two.queue.release).lost, 0)
      })
    )

    it.live("a worker that does not tell its machine, as older ones do not, is waited for", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@same"))
        const two = yield* queueOf(worker("celery@same"))
        const { machine: _, ...old } = one.info
        assert.isTrue(yield* one.queue.beat(old))
        assert.isFalse(yield* two.beat)
      })
    )

    it.live("only the first beat of a life takes the name of the one before: who was followed does not take it back", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@same"))
        const two = yield* queueOf(worker("celery@same"))
        assert.isTrue(yield* one.beat)
        assert.isTrue(yield* two.beat)
        assert.isFalse(yield* one.beat)
        assert.isTrue(yield* two.beat)
      })
    )

    it.live("a life that ended under our name, machine, host and process id is followed at once", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@same"))
        const two = yield* queueOf(worker("celery@same"))
        yield* one.queue.publish([message()])
        yield* one.beat
        yield* claimed(one.queue)
        assert.strictEqual((yield* two.queue.release).lost, 0)
        assert.isTrue(yield* two.beat)
        assert.strictEqual((yield* two.queue.release).lost, 1)
      })
    )

    it.live("the messages of a task are found by its id or the beginning of it, wherever they lie", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@one"))
        yield* one.beat
        const { queue } = one
        const due = Date.now() + 60_000
        yield* queue.publish([message({ id: "parked-1" }), message({ id: "held-1" })])
        yield* queue.hold(yield* claimed(queue), due)
        yield* claimed(queue)
        yield* queue.publish([message({ id: "ё-1" }), message({ id: "waits-1" }), message({ id: "waits-2", priority: 9 })])
        const lookFor = Effect.fnUntraced(function* (prefix: string, limit = 10) {
          const { all, found } = yield* queue.find(prefix, limit)
          assert.isTrue(all)
          for (const { outline, queue, taskId } of found) {
            assert.strictEqual(queue, "generator_queue")
            assert.deepInclude(outline["headers"], { id: taskId })
          }
          return found.map(({ taskId, where }) => [taskId, where])
        })
        assert.deepStrictEqual(yield* lookFor("waits-"), [
          ["waits-1", { _tag: "Waiting", before: 1 }],
          ["waits-2", { _tag: "Waiting", before: 0 }]
        ])
        assert.deepStrictEqual(yield* lookFor("ё"), [["ё-1", { _tag: "Waiting", before: 0 }]])
        assert.deepStrictEqual(yield* lookFor("held-1"), [["held-1", { _tag: "Held", worker: "celery@one" }]])
        assert.deepStrictEqual(yield* lookFor("parked"), [["parked-1", { _tag: "Parked", due }]])
        assert.deepStrictEqual(yield* lookFor("generate"), [])
        assert.lengthOf(yield* lookFor("", 3), 3)
      })
    )

    it.live("status tells who is there and what each holds", () =>
      Effect.gen(function* () {
        const { worker } = yield* fleet
        const one = yield* queueOf(worker("celery@one"))
        yield* one.queue.publish([message(), message({ priority: 6 })])
        yield* claimed(one.queue)
        const { from, to, value: status } = yield* timed(Effect.andThen(one.beat, one.queue.status))
        assert.deepInclude(status.queues[0], { queue: "generator_queue", ready: { "0": 0, "3": 0, "6": 1, "9": 0 }, dead: 0 })
        assert.deepInclude(status.workers[0], { name: "celery@one", alive: true, holds: 1 })
        assert.isAtMost(status.workers[0]!.beatSecondsAgo, (to - from + 2) / 1000)
      })
    )
  })
}
