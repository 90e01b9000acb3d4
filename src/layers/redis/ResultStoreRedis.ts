import { Deferred, Effect, Layer, Option, Schema, Scope } from "effect"
import type { Redis } from "ioredis"
import * as PythonJson from "../../wire/PythonJson.ts"
import { isFinal, ResultStore, ResultStoreError, TaskResult } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import * as Connections from "./Connections.ts"
import { connect } from "./connect.ts"
import { groupDocument, groupKey, memberOf, readGroup, readMembers } from "./chords.ts"
import { documentOf, expiresIn, keyOf } from "./results.ts"
import { addChordPart } from "./scripts/addChordPart.ts"
import { bind } from "./scripts/script.ts"
import { storeDocument } from "./scripts/storeDocument.ts"
import { backend } from "./where.ts"
import { attempting } from "../attempting.ts"

const attempt = attempting(ResultStoreError)

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
    const store = bind(redis, storeDocument)
    const addPart = bind(redis, addChordPart)
    const listen = yield* connect(where, "blocking").pipe(
      Effect.map(listener),
      Effect.provideService(Scope.Scope, yield* Effect.scope),
      Effect.cached
    )
    const keep = (operation: string, key: string, text: string) =>
      attempt(operation, () => store({ key, document: text, seconds: expires, status: undefined }))
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
        attempt("store", () =>
          store({ key: keyOf(result.task_id), document: documentOf(result), seconds: expires, status: result.status })
        ),
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
            return addPart({
              parts: groupKey(groupId, ".j"),
              added: groupKey(groupId, ".t"),
              size: groupKey(groupId, ".s"),
              place: String(index ?? "+inf"),
              member,
              begins: prefix,
              seconds: expires,
              ordered: settings.RESULT_CHORD_ORDERED ? "1" : "0"
            })
          }),
          (found) => Option.map(Option.fromUndefinedOr(found), readMembers)
        ),
      dropChord: (groupId) =>
        Effect.asVoid(
          attempt("dropChord", () => redis.del(groupKey(groupId, ".j"), groupKey(groupId, ".t"), groupKey(groupId, ".s")))
        ),
      ping: Effect.asVoid(attempt("ping", () => redis.ping()))
    })
  })
).pipe(Layer.provide(Connections.layer))
