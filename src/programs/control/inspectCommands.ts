import { Clock, Effect, Option, Schema } from "effect"
import { running } from "../../services/Vitals.ts"
import * as Bounded from "../../wire/Bounded.ts"
import * as Message from "../celery/Message.ts"
import { infosOf, requestOf } from "../celery/Request.ts"
import { iso } from "../celery/Time.ts"
import { command, type Command, Count, list, None, ok, refuse, Some } from "./Command.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"
import { memory, report, stats } from "./stats.ts"
import { merge, mine } from "./revokedIds.ts"
import { nullish } from "../../wire/nullish.ts"

/** The most scheduled tasks that one answer lists: a longer list would load the broker and help nobody. */
export const MOST_SCHEDULED = 5000

const queueObject = (name: string, bound: { readonly exchange: string; readonly type: string; readonly routingKey: string }) => ({
  name,
  exchange: {
    name: bound.exchange,
    type: bound.type,
    arguments: null,
    durable: true,
    passive: false,
    auto_delete: false,
    delivery_mode: null,
    no_declare: false
  },
  routing_key: bound.routingKey,
  queue_arguments: null,
  binding_arguments: null,
  consumer_arguments: null,
  durable: true,
  exclusive: false,
  auto_delete: false,
  no_ack: false,
  alias: null,
  bindings: [],
  no_declare: null,
  expires: null,
  message_ttl: null,
  max_length: null,
  max_length_bytes: null,
  max_priority: null
})

/** The commands that ask a worker about itself. They ask the broker only if the answer is there. */
export const inspect = (worker: ControlledWorker): ReadonlyArray<Command> => {
  const { me, vitals } = worker
  const requests = (active: boolean) => [...vitals.requests.values()].filter(({ startedAt }) => (startedAt !== null) === active)
  const memo = memory()

  /** A waiting message is in no worker's hands, so one worker speaks for all: the first by name of those alive. */
  const scheduled = Effect.gen(function* () {
    const { workers } = yield* worker.inspector.status
    const [first] = workers
      .filter(({ alive }) => alive)
      .map(({ name }) => name)
      .toSorted()
    if (first !== undefined && first !== me.name) return []
    const waiting = yield* worker.inspector.scheduled(MOST_SCHEDULED)
    const found = yield* Effect.forEach(waiting, ({ delivery, due }) =>
      Effect.map(Effect.option(Message.decode(delivery.raw, worker.timezone)), (message) =>
        Option.toArray(Option.map(message, (read) => ({ due, request: requestOf(read, delivery) })))
      )
    ).pipe(Effect.map((all) => all.flat()))
    const infos = infosOf(
      found.map(({ request }) => request),
      me
    )
    return infos.map((request, at) => ({
      eta: iso(Math.round(found[at]!.due)), // one for each
      priority: 6, // of Celery's timer
      request
    }))
  }).pipe(Effect.mapError((error) => refuse("OperationalError", `the broker does not answer (${error.operation})`)))

  const registered = (items: ReadonlyArray<string>, builtins: boolean) =>
    // Celery hides its own unless asked.
    [...worker.known.keys()]
      .filter((name) => builtins || !name.startsWith("celery."))
      .toSorted()
      .map((name) => {
        const own = vitals.timeLimits.get(name)
        const attributes: Record<string, string | undefined> = {
          rate_limit: worker.rates.get(name),
          max_retries: String(worker.limits.retries),
          acks_late: "True",
          soft_time_limit: String(own?.soft ?? worker.limits.soft),
          time_limit: String(own?.hard ?? worker.limits.hard)
        }
        const shown = items.flatMap((item) => {
          const value = Object.hasOwn(attributes, item) ? attributes[item] : undefined
          return value === undefined ? [] : [`${item}=${value}`]
        })
        return shown.length === 0 ? name : `${name} [${shown.join(" ")}]`
      })

  const Safe = Schema.Struct({ safe: nullish(Schema.Boolean) })
  const Registered = Schema.Struct({
    taskinfoitems: nullish(Bounded.list(Schema.String, 100)),
    builtins: nullish(Schema.Boolean)
  })
  const Conf = Schema.Struct({ with_defaults: nullish(Schema.Unknown) })
  const Hello = Schema.Struct({ from_node: Schema.String, revoked: nullish(Bounded.Properties) })

  return [
    command("ping", [], None, () => Effect.succeed(ok("pong"))),
    command("active", [], Safe, ({ safe }) => Effect.sync(() => infosOf(requests(true), me, safe === true))),
    command("reserved", [], None, () => Effect.sync(() => infosOf(requests(false), me))),
    command("scheduled", [], None, () => scheduled),
    command("revoked", [], None, () =>
      Effect.map(Clock.currentTimeMillis, (now) => [...vitals.revoked.ids].filter(([, until]) => until > now).map(([id]) => id))
    ),
    command("registered", [], Registered, ({ builtins, taskinfoitems }) =>
      Effect.sync(() => registered(taskinfoitems?.length ? taskinfoitems : ["rate_limit"], builtins === true))
    ),
    command("query_task", ["ids"], Schema.Struct({ ids: Some }), ({ ids }) =>
      Effect.sync(() =>
        Object.fromEntries(
          list(ids).flatMap((id) => {
            const request = vitals.requests.get(id)
            if (request === undefined) return []
            return [[id, [request.startedAt === null ? "reserved" : "active", ...infosOf([request], me)]]]
          })
        )
      )
    ),
    command("active_queues", [], None, () =>
      Effect.map(worker.queue.queues, (names) =>
        names.map((name) => queueObject(name, worker.bindings.get(name) ?? { exchange: name, type: "direct", routingKey: name }))
      )
    ),
    command("stats", [], None, () => Effect.map(Clock.currentTimeMillis, (now) => stats(worker, now, running(vitals).length))),
    command("conf", [], Conf, ({ with_defaults }) =>
      Effect.sync(() =>
        with_defaults === true || with_defaults === "true" || with_defaults === 1 ? worker.conf.all : worker.conf.changed
      )
    ),
    command("clock", [], None, () => Effect.sync(() => ({ clock: worker.lamport.value() }))),
    command("report", [], None, () => Effect.sync(() => ok(report(worker)))),
    command("memsample", [], None, () => Effect.sync(memo.sample)),
    command("memdump", [], Schema.Struct({ samples: nullish(Count) }), ({ samples }) =>
      Effect.sync(() => memo.dump(samples ?? 10))
    ),
    command("objgraph", [], None, () => Effect.fail(refuse("ImportError", "Requires the objgraph library"))),
    command("hello", ["from_node"], Hello, ({ from_node, revoked }) =>
      Effect.gen(function* () {
        if (from_node === me.name) return null
        yield* merge(worker, Object.keys(revoked ?? {}))
        return { revoked: yield* mine(worker), clock: worker.lamport.forward() }
      })
    )
  ]
}
