import { Clock, Effect, Option, Schema } from "effect"
import { running } from "../../services/Vitals.ts"
import * as Bounded from "../Bounded.ts"
import * as Message from "../celery/Message.ts"
import { infosOf, requestOf } from "../celery/Request.ts"
import { iso } from "../celery/Time.ts"
import { command, type Command, Count, list, maybe, None, ok, refuse, Some } from "./Command.ts"
import type { Desk } from "./Desk.ts"
import { memory, report, stats } from "./figures.ts"
import { merge, mine } from "./revoked.ts"

/** A list longer than this helps nobody, and takes the broker's time. */
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

/** What a worker says of itself (celery-wire 8.2). The broker is asked only where the answer lies there. */
export const inspect = (desk: Desk): ReadonlyArray<Command> => {
  const { me, vitals } = desk
  const requests = (active: boolean) => [...vitals.requests.values()].filter(({ startedAt }) => (startedAt !== null) === active)
  const memo = memory()

  /** A waiting message is in no worker's hands, so one worker speaks for all: the first by name of those alive. */
  const scheduled = Effect.gen(function* () {
    const { workers } = yield* desk.inspector.status
    const [first] = workers
      .filter(({ alive }) => alive)
      .map(({ name }) => name)
      .toSorted()
    if (first !== undefined && first !== me.name) return []
    const waiting = yield* desk.inspector.scheduled(MOST_SCHEDULED)
    const found = yield* Effect.forEach(waiting, ({ delivery, due }) =>
      Effect.map(Effect.option(Message.decode(delivery.raw, desk.timezone)), (message) =>
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
    [...desk.known.keys()]
      .filter((name) => builtins || !name.startsWith("celery."))
      .toSorted()
      .map((name) => {
        const own = vitals.timeLimits.get(name)
        const attributes: Record<string, string | undefined> = {
          rate_limit: desk.rates.get(name),
          max_retries: String(desk.limits.retries),
          acks_late: "True",
          soft_time_limit: String(own?.soft ?? desk.limits.soft),
          time_limit: String(own?.hard ?? desk.limits.hard)
        }
        const shown = items.flatMap((item) => {
          const value = Object.hasOwn(attributes, item) ? attributes[item] : undefined
          return value === undefined ? [] : [`${item}=${value}`]
        })
        return shown.length === 0 ? name : `${name} [${shown.join(" ")}]`
      })

  const Safe = Schema.Struct({ safe: maybe(Schema.Boolean) })
  const Registered = Schema.Struct({ taskinfoitems: maybe(Bounded.list(Schema.String, 100)), builtins: maybe(Schema.Boolean) })
  const Conf = Schema.Struct({ with_defaults: maybe(Schema.Unknown) })
  const Hello = Schema.Struct({ from_node: Schema.String, revoked: maybe(Bounded.Properties) })

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
      Effect.map(desk.queue.queues, (names) =>
        names.map((name) => queueObject(name, desk.bindings.get(name) ?? { exchange: name, type: "direct", routingKey: name }))
      )
    ),
    command("stats", [], None, () => Effect.map(Clock.currentTimeMillis, (now) => stats(desk, now, running(vitals).length))),
    command("conf", [], Conf, ({ with_defaults }) =>
      Effect.sync(() =>
        with_defaults === true || with_defaults === "true" || with_defaults === 1 ? desk.conf.all : desk.conf.changed
      )
    ),
    command("clock", [], None, () => Effect.sync(() => ({ clock: desk.lamport.value() }))),
    command("report", [], None, () => Effect.sync(() => ok(report(desk)))),
    command("memsample", [], None, () => Effect.sync(memo.sample)),
    command("memdump", [], Schema.Struct({ samples: maybe(Count) }), ({ samples }) =>
      Effect.sync(() => memo.dump(samples ?? 10))
    ),
    command("objgraph", [], None, () => Effect.fail(refuse("ImportError", "Requires the objgraph library"))),
    command("hello", ["from_node"], Hello, ({ from_node, revoked }) =>
      Effect.gen(function* () {
        if (from_node === me.name) return null
        yield* merge(desk, Object.keys(revoked ?? {}))
        return { revoked: yield* mine(desk), clock: desk.lamport.forward() }
      })
    )
  ]
}
