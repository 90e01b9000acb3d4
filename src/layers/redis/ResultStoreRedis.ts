import { Deferred, Effect, Layer, Option, Schema, Scope } from "effect"
import type { Redis } from "ioredis"
import * as PythonJson from "../services/PythonJson.ts"
import { isFinal, ResultStore, ResultStoreError, TaskResult } from "../services/ResultStore.ts"
import * as Settings from "../services/Settings.ts"
import * as Connections from "./redis/Connections.ts"
import { connect, script } from "./redis/connect.ts"
import { addPart, groupDocument, groupKey, memberOf, readGroup, readMembers } from "./redis/chords.ts"
import { json } from "./redis/json.ts"
import { documentOf, expiresIn, keyOf, storeResult } from "./redis/results.ts"
import { backend } from "./redis/where.ts"

/** KEYS the task's key. ARGV the document, seconds to keep it (0: for ever), the state that it tells. */
const store = `${json}${storeResult}
store_result(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return 1`

const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new ResultStoreError({ operation, cause }) })

const decode = Schema.decodeUnknownEffect(TaskResult)
/** A document another worker may have written, so less is taken for granted than in ours. */
const read = (text: string) =>
  Effect.try({
    try: () => PythonJson.parse(text),
    catch: (cause) => new ResultStoreError({ operation: "read", cause })
  }).pipe(
    Effect.map((value) => ({
      traceback: null,
      children: [],
      date_done: null,
      result: null,
      ...(typeof value === "object" ? value : {})
    })),
    Effect.flatMap(decode),
    Effect.mapError((cause) => new ResultStoreError({ operation: "read", cause }))
  )

/** Wakes who waits for a channel. One connection serves all waits; it is opened by the first. */
const listener = (redis: Redis) => {
  const waiting = new Map<string, Set<Deferred.Deferred<string>>>()
  redis.on("message", (channel: string, text: string) => {
    for (const deferred of waiting.get(channel) ?? []) Deferred.doneUnsafe(deferred, Effect.succeed(text))
  })
  return Effect.fnUntraced(function* (channel: string) {
    const deferred = Deferred.makeUnsafe<string>()
    const all = waiting.get(channel) ?? new Set()
    waiting.set(channel, all.add(deferred))
    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        all.delete(deferred)
        if (all.size > 0) return Effect.void
        waiting.delete(channel)
        return Effect.ignore(attempt("unsubscribe", () => redis.unsubscribe(channel)))
      })
    )
    yield* attempt("subscribe", () => redis.subscribe(channel))
    return deferred
  })
}

export const layer = Layer.effect(
  ResultStore,
  Effect.gen(function* () {
    const settings = yield* Settings.of("RESULT_EXPIRES", "RESULT_CHORD_ORDERED")
    const where = yield* backend
    const channelOf = (taskId: string) => `${where.keyPrefix}${keyOf(taskId)}`
    const expires = expiresIn(settings.RESULT_EXPIRES)
    const redis = yield* (yield* Connections.Connections).commands(where)
    const run = script(redis, "mgStore", store)
    const add = script(redis, "mgAddPart", addPart)
    const listen = yield* connect(where, "blocking").pipe(
      Effect.map(listener),
      Effect.provideService(Scope.Scope, yield* Effect.scope),
      Effect.cached
    )
    const keep = (operation: string, key: string, text: string) =>
      Effect.asVoid(attempt(operation, () => run([key], [text, expires])))
    const get = (taskId: string) =>
      Effect.flatMap(
        attempt("get", () => redis.get(keyOf(taskId))),
        (text) => (text === null ? Effect.succeedNone : Effect.asSome(read(text)))
      )

    const awaitFinal = Effect.fn("ResultStore.awaitFinal")(function* (taskId: string) {
      while (true) {
        const subscribe = yield* listen
        const next = yield* subscribe(channelOf(taskId))
        // After subscribing, so that nothing falls between; and again now and then, as a broken connection misses messages.
        const stored = yield* get(taskId)
        if (Option.isSome(stored) && isFinal(stored.value.status)) return stored.value
        yield* Effect.timeoutOption(Deferred.await(next), "5 seconds")
      }
    }, Effect.scoped)

    return ResultStore.of({
      store: (result) =>
        Effect.asVoid(attempt("store", () => run([keyOf(result.task_id)], [documentOf(result), expires, result.status]))),
      get,
      awaitFinal,
      saveGroup: (id, taskIds) =>
        keep(
          "saveGroup",
          groupKey(id),
          groupDocument({ id, parent: null, children: taskIds.map((task) => ({ id: task, parent: null, children: null })) })
        ),
      saveGroupTree: (group) => keep("saveGroupTree", groupKey(group.id), groupDocument(group)),
      loadGroup: (groupId) =>
        Effect.map(
          attempt("loadGroup", () => redis.get(groupKey(groupId))),
          (text) => (text === null ? Option.none() : readGroup(text))
        ),
      setChordSize: (groupId, size) => keep("setChordSize", groupKey(groupId, ".s"), String(size)),
      addChordPart: (groupId, index, part) =>
        Effect.map(
          attempt("addChordPart", () => {
            const { member, prefix } = memberOf(part)
            return add(
              [groupKey(groupId, ".j"), groupKey(groupId, ".t"), groupKey(groupId, ".s")],
              [index ?? "+inf", member, prefix, expires, settings.RESULT_CHORD_ORDERED ? "1" : "0"]
            )
          }),
          (found) => (Array.isArray(found) ? Option.some(readMembers(found)) : Option.none())
        ),
      dropChord: (groupId) =>
        Effect.asVoid(
          attempt("dropChord", () => redis.del(groupKey(groupId, ".j"), groupKey(groupId, ".t"), groupKey(groupId, ".s")))
        ),
      ping: Effect.asVoid(attempt("ping", () => redis.ping()))
    })
  })
).pipe(Layer.provide(Connections.layer))
