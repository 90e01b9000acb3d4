/** A known bug: a place in the code and what is put there. */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** What it must be caught by, where another invariant would catch it too. */
  readonly breaks?: string
}

const settle = "src/programs/task/settle.ts"
const payOnce = "src/programs/generation/purchase/payOnce.ts"
const account = "src/programs/generation/purchase/account.ts"
const submit = "src/programs/generation/purchase/submit.ts"
const collect = "src/programs/generation/purchase/collect.ts"
const wait = "src/programs/generation/purchase/wait.ts"
const finish = "src/programs/task/finish.ts"
const queue = "src/layers/memory/taskQueue.ts"
const lease = "src/layers/memory/lease.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "acknowledge before the result is stored",
    file: settle,
    from: `  return Effect.andThen(finish(context, delivery, stepsOfSuccess(attempt, result), next, life), told)`,
    to: `  const first = untilDone("acknowledge", context.queue.acknowledge(delivery))
  return first.pipe(Effect.andThen(finish(context, delivery, stepsOfSuccess(attempt, result), next, life)), Effect.andThen(told))`
  },
  {
    name: "acknowledge before a failure is told",
    file: settle,
    from: `  yield* Effect.logWarning("task failed", lineOf(`,
    to: `  yield* untilDone("acknowledge", context.queue.acknowledge(delivery))
  yield* Effect.logWarning("task failed", lineOf(`
  },
  {
    name: "submit before the intent is written",
    file: submit,
    from: `  const made = intend(payer, intent, lost).pipe(
    Effect.tap(() => (lost === undefined ? Effect.void : resubmitting)),
    Effect.andThen(generator.submit({ endpoint, input })),`,
    to: `  const made = generator.submit({ endpoint, input }).pipe(
    Effect.tap(() => intend(payer, intent, lost)),`,
    breaks: "submitted without an intent"
  },
  {
    name: "the request id is not written",
    file: submit,
    from: `    Effect.tap((submitted) => Effect.tapError(Entry.advance(payer, submitted), givenUp(payer, submitted)))`,
    to: ``
  },
  {
    name: "a stop may come between a submit and its request id",
    file: submit,
    from: `lost, error)),
    Effect.uninterruptible
  )`,
    to: `lost, error))
  )`
  },
  {
    name: "submit again instead of re-attaching",
    file: payOnce,
    from: `      return yield* bought(yield* collect(payer, yield* reattach(payer, known, wanted)))`,
    to: `      yield* Entry.withdraw(payer, known, undefined)
      return yield* bought(yield* collect(payer, yield* submit(payer, wanted)))`
  },
  {
    name: "retry without the journal",
    file: collect,
    from: `      default:
        return yield* unreachable(reason)`,
    to: `      default:
        yield* Entry.withdraw(payer, submitted, undefined)
        return yield* unreachable(reason)`
  },
  {
    name: "an intent stays when fal was busy",
    file: submit,
    from: `    case "Busy":
      yield* takeBack
`,
    to: `    case "Busy":
`,
    breaks: "though fal had answered"
  },
  {
    name: "no grace for a submit whose answer was lost",
    file: submit,
    from: `Duration.toSeconds(FAL_UNCERTAIN_GRACE)),`,
    to: `Duration.toSeconds(FAL_UNCERTAIN_GRACE) * 0),`,
    breaks: "at once"
  },
  {
    name: "an intent that came late is acted upon",
    file: submit,
    from: `- before <= LATEST) return`,
    to: `- before < Infinity) return`,
    breaks: "at once"
  },
  {
    name: "a submit made again is not counted",
    file: submit,
    from: `0 : lost.resubmits + 1`,
    to: `0 : lost.resubmits`,
    breaks: "uncounted"
  },
  {
    name: "submits with lost answers are made again for ever",
    file: submit,
    from: `(lost?.length ?? resubmits) >= most`,
    to: `(lost?.length ?? resubmits) >= most + 99`
  },
  {
    name: "a lost request that the bills have is made again",
    file: submit,
    from: `if (trace._tag === "Found") return`,
    to: `if (trace._tag === "Found" && lost.at < 0) return`,
    breaks: "bills could be read"
  },
  {
    name: "a lost request is made again before the bills of its time are whole",
    file: "src/programs/generation/purchase/findLost.ts",
    from: `_tag: isWhole ? "None" : "NotYet"`,
    to: `_tag: isWhole || now > 0 ? "None" : "NotYet"`,
    breaks: "bills could be read"
  },
  {
    name: "a resubmit that failed is forgotten",
    file: collect,
    from: `Entry.withdraw(payer, submitted, beforeResubmit(submitted))`,
    to: `Entry.withdraw(payer, submitted, undefined)`
  },
  {
    name: "the journal is written over whatever it says",
    file: "src/layers/journal/rules.ts",
    from: `return isOurs || isRepeated ? write`,
    to: `return intent.at > 0 || isOurs || isRepeated ? write`,
    breaks: "written over"
  },
  {
    name: "a remembered text is trusted without a compare",
    file: "src/layers/memory/JournalMemory.ts",
    from: `    replace: (_, taskId, next) =>
      step((now) => {
        if (stored(taskId).print !== next.expected) return "changed"
`,
    to: `    replace: (_, taskId, next) =>
      step((now) => {
`,
    breaks: "written over"
  },
  {
    name: "money: what is reserved does not count until it is settled",
    file: "src/layers/memory/budget.ts",
    from: `      const used = counterOf(span, period.label).get(subject) ?? zero
      if (limit`,
    to: `      const open = [...reservations.values()].reduce((all, { price }) => all + price, 0)
      const used = NanoDollars.make(Math.max(0, (counterOf(span, period.label).get(subject) ?? zero) - open))
      if (limit`,
    breaks: "over budget"
  },
  {
    name: "money: a withdrawn intent stays reserved",
    file: "src/layers/journal/money.ts",
    from: `withdrawn !== undefined
      ?`,
    to: `withdrawn !== undefined && withdrawn._tag !== "Intended"
      ?`,
    breaks: "still reserved"
  },
  {
    name: "money: a picture gives back what was reserved for it",
    file: "src/layers/journal/money.ts",
    from: `cost: entry.cost }`,
    to: `cost: zero }`,
    breaks: "over budget"
  },
  {
    name: "the step that ends a task does not tell of it",
    file: "src/programs/task/finish.ts",
    from: `queue.acknowledge(delivery, { result, next: isWanted, told })`,
    to: `queue.acknowledge(delivery, { result, next: isWanted })`,
    breaks: "untold end"
  },
  {
    name: "a row is saved at every call",
    file: "src/layers/memory/ModelLibraryMemory.ts",
    from: `        if (saved !== undefined) return saved`,
    to: `        if (saved !== undefined && versionsOf(model.templateId).length === 0) return saved`
  },
  {
    name: "a success is overwritten",
    file: "src/services/ResultStore.ts",
    from: `stored !== "SUCCESS" && (isFinal(next)`,
    to: `true || (isFinal(next)`
  },
  {
    name: "forget to refresh the lease",
    file: "src/programs/worker/leaseKeeper.ts",
    from: `const BEAT = "5 seconds"`,
    to: `const BEAT = "1 hour"`,
    breaks: "it does not ask for its lease"
  },
  {
    name: "a lease is taken for over before it is",
    file: lease,
    from: `lease < now) ? "lost"`,
    to: `lease < now + 20_000) ? "lost"`,
    breaks: "its lease was good"
  },
  {
    name: "a life that is over is waited for",
    file: lease,
    from: `if (lives || !outlived(other)) return false`,
    to: `return false`,
    breaks: "kept waiting"
  },
  {
    name: "a name is taken from whoever has it",
    file: lease,
    from: `if (lives || !outlived(other)) return false`,
    to: ``,
    breaks: "two of a name"
  },
  {
    name: "what the life before held is not taken over",
    file: lease,
    from: `          broker.leases.delete(other.boot)\n`,
    to: ``,
    breaks: "left with the dead"
  },
  { name: "a lease never ends", file: lease, from: `lease < now) ? "lost"`, to: `lease < 0) ? "lost"` },
  {
    name: "restore without removing",
    file: lease,
    from: `      broker.unacknowledged.delete(entry.tag)
      released[`,
    to: `      if (why === "due") broker.unacknowledged.delete(entry.tag)
      released[`
  },
  { name: "a crash is not counted", file: lease, from: `=== 1 ? "alone" : "company"`, to: `=== 1 ? "none" : "company"` },
  {
    name: "a crash is counted for the neighbours",
    file: lease,
    from: `=== 1 ? "alone" : "company"`,
    to: `=== 1 ? "alone" : "alone"`
  },
  {
    name: "a suspect runs beside others",
    file: "src/programs/worker/consumer.ts",
    from: `else if (claimed.value.suspect) yield*`,
    to: `else if (claimed.value.suspect && false) yield*`
  },
  {
    name: "who stood still calls others dead",
    file: lease,
    from: `(trusted(now) && lease < now)`,
    to: `lease < now`,
    breaks: "whose own beats were not on time"
  },
  {
    name: "hold loses the message",
    file: queue,
    from: `settling("hold", delivery, options, (entry) => schedule(entry, at))`,
    to: `settling("hold", delivery, options, () => {})`
  },
  {
    name: "retry loses the message",
    file: queue,
    from: `endingHold("retry", delivery, () => schedule(next, at), told)`,
    to: `endingHold("retry", delivery, () => {}, told)`
  },
  {
    name: "publishOnce publishes again",
    file: "src/layers/memory/publisher.ts",
    from: `        if (kept !== undefined) return kept\n`,
    to: ``
  },
  {
    name: "a claim whose answer was lost stays lost",
    file: lease,
    from: `return mine.has(tag) ? undefined : "astray"`,
    to: `return undefined`
  },
  {
    name: "who was robbed may still acknowledge",
    file: queue,
    from: `    const entry = broker.unacknowledged.get(delivery.tag)
    if (entry?.boot !== me.boot) return
    broker.unacknowledged.delete(delivery.tag)`,
    to: `    const idOf = (raw: string) => /"id": ?"[^"]+"/.exec(raw)?.[0]
    const entry = [...broker.unacknowledged.values()].find(({ raw }) => idOf(raw) === idOf(delivery.raw))
    if (entry === undefined) return
    broker.unacknowledged.delete(entry.tag)`
  },
  {
    name: "the claim of a lost answer is forgotten",
    file: queue,
    from: `if (Exit.isFailure(exit) || Option.isNone(exit.value) ||`,
    to: `if (Exit.isFailure(exit)) return
          if (Option.isNone(exit.value) ||`
  },
  {
    name: "acknowledged though the store refused",
    file: queue,
    from: `        if (Result.isFailure(stored)) return Result.fail(stored.failure)\n`,
    to: ``
  },
  {
    name: "the next claim survives a stop",
    file: "src/programs/runtime/Pool.ts",
    from: `return yield* job.next?.()?.handBack({ crashed: false }) ?? Effect.void`,
    to: `return`,
    breaks: "not handed back"
  },
  {
    name: "a stop does not hand back",
    file: "src/programs/runtime/Pool.ts",
    from: `if (Option.isNone(last) || Exit.isFailure(last.value)) yield* job.handBack({ crashed: false })`,
    to: `if (Option.isNone(last)) yield* job.handBack({ crashed: false })`
  },
  {
    name: "a stop waits for what runs as long as it takes",
    file: "src/programs/runtime/Pool.ts",
    from: `within(Effect.raceFirst(Fiber.await(fiber), Deferred.await(options.hurry)), options.grace)`,
    to: `within(Fiber.await(fiber), Duration.hours(1))`,
    breaks: "does not stop"
  },
  {
    name: "take a message without a free slot",
    file: "src/programs/worker/consumer.ts",
    from: `          yield* restore(options.slots.take(1))`,
    to: `          yield* restore(Effect.void)`
  },
  {
    name: "a task is run before its eta",
    file: "src/programs/task/admission.ts",
    from: `message.eta.value > now)`,
    to: `message.eta.value > now + 10_000)`
  },
  {
    name: "a poisonous task is run for ever",
    file: "src/programs/task/crashes.ts",
    from: `if (crashes < MAX_CRASHES) return "run"`,
    to: `if (crashes < 99) return "run"`
  },
  {
    name: "a task whose picture is paid is given up after three crashes",
    file: "src/programs/task/crashes.ts",
    from: `      return rested >= crashes ?`,
    to: `      return crashes > 0 ? "lost" : rested >= crashes ?`,
    breaks: "failed without cause"
  },
  {
    name: "nothing is saved of a picture past the soft limit",
    file: "src/programs/task/run.ts",
    from: `rescue: Effect.map(finished, Option.map(done)),`,
    to: `rescue: Effect.succeedNone,`,
    breaks: "wasted a picture"
  },
  {
    name: "a picture past the soft limit is given up when fal does not answer the cancel",
    file: collect,
    from: `  yield* Effect.ignore(generator.cancel(Entry.ticketOf(submitted)))
`,
    to: `  if ((yield* Effect.option(generator.cancel(Entry.ticketOf(submitted))))._tag === "None") return false
`,
    breaks: "wasted a picture"
  },
  {
    name: "what cannot be read is thrown away",
    file: "src/programs/task/unreadable.ts",
    from: `return yield* bury(context, delivery, "unreadable", problem.problem)`,
    to: `return yield* finish(context, delivery, [])`
  },
  {
    name: "advance refuses when the entry is gone",
    file: "src/layers/journal/rules.ts",
    from: `  if (stored === null) return write(next, stored)`,
    to: `  if (stored === null) return leave("superseded")`
  },
  {
    name: "the request id does not go along with a retry",
    file: settle,
    from: `    generation: GenerationProperty.of(task.knowledge.generation)
  })
  const why = { reason: later.reason`,
    to: `    generation: undefined
  })
  const why = { reason: later.reason`,
    breaks: "paid twice"
  },
  {
    name: "other arguments under the same id are the same task",
    file: "src/services/Journal.ts",
    from: `  one.digest === undefined ||`,
    to: `  one.digest !== "" || one.digest === undefined ||`,
    breaks: "not run"
  },
  {
    name: "lost tells before it buries",
    file: finish,
    from: `  yield* bury(context, delivery, reason, error)
  const told =`,
    to: `  yield* Effect.forEach(steps(), (step) => untilDone(step.what, runOf(context.results, step)))
  yield* bury(context, delivery, reason, error)
  const told =`
  },
  {
    name: "expired though paid",
    file: "src/programs/task/admission.ts",
    from: `if (isExpired(message, now) && !begun)`,
    to: `if (isExpired(message, now))`,
    breaks: "expired though paid"
  },
  {
    name: "what is sent once for an id is sent once for all arguments",
    file: "src/programs/celery/canvas/followUps.ts",
    from: "send({ key: `after:${ended.id}`, digest: ended.digest() }, next, sender)",
    to: "send({ key: `after:${ended.id}`, digest: '' }, next, sender)"
  },
  {
    name: "a task is run beside itself",
    file: "src/programs/task/perform.ts",
    from: `isRunning: (vitals.requests.get(message.id)?.startedAt ?? null) !== null,`,
    to: `isRunning: false,`
  },
  {
    name: "a stream that is silent is waited for",
    file: wait,
    from: `lag === 0 ? look : Effect.raceFirst(look, Fiber.join(hinted))`,
    to: `lag === 0 ? look : Fiber.join(hinted)`
  },
  {
    name: "a row before the bytes of its picture",
    file: "src/programs/media/keep.ts",
    from: `    name: yield* store.put(examined),`,
    to: `    name: \`\${sha256}.\${examined.extension}\`,`,
    breaks: "row before its bytes"
  },
  {
    name: "a thumbnail stored under the hash of its picture",
    file: "src/programs/media/keep.ts",
    from: `    sha256: sha256Of(examined.thumbnail),`,
    to: `    sha256,`
  },
  {
    name: "a picture that broke off on its way is given up",
    file: "src/programs/media/keep.ts",
    from: `() => Effect.flatMap(readAgain, examine)))`,
    to: `() => examine(bytes)))`
  },
  {
    name: "a paid picture fails while the media store is away",
    file: "src/programs/generation/tasks/keeping.ts",
    from: `        return yield* wait(error.message, false)
      case "PicturesUnavailable":`,
    to: `        return yield* TaskFailure.mediaError(error.message)
      case "PicturesUnavailable":`
  },
  {
    name: "the ledger's row of a request is written before its outcome is known",
    file: submit,
    from: `givenUp(payer, submitted)))`,
    to: `givenUp(payer, submitted))),
    Effect.tap((submitted) => givenUp(payer, submitted)({ reason: "contended" }))`,
    breaks: "ledger"
  },
  {
    name: "the ledger has no row of a flagged picture",
    file: payOnce,
    from: `Effect.andThen(accounted(payer), Entry.close(payer))`,
    to: `Entry.close(payer)`,
    breaks: "ledger"
  },
  {
    name: "the ledger gets a second row of a request after a crash",
    file: "src/layers/memory/ledger.ts",
    from: `const key = JSON.stringify([row.taskId, row.attempt])`,
    to: `const key = JSON.stringify([row.taskId, row.attempt, rows.size])`,
    breaks: "ledger"
  },
  {
    name: "the ledger never hears of a request whose answer was lost",
    file: submit,
    from: `    ...(lost === undefined ? {} : { lost: [...(lost.lost ?? []), ...(isUnpaid ? [] : [lostRequestOf(lost)])] }),`,
    to: ``,
    breaks: "ledger"
  },
  {
    name: "a row that the database does not take is not owed to the ledger",
    file: account,
    from: `    yield* Entry.owe(debtOf(payer, { generation: null, rows }))`,
    to: ``,
    breaks: "ledger"
  },
  {
    name: "a debt to the ledger is settled before its row is written",
    file: "src/programs/generation/purchase/bookkeeping.ts",
    from: `    const isSettled = yield* settle(debt).pipe(`,
    to: `    yield* journal.settled(name)
    const isSettled = yield* settle(debt).pipe(`,
    breaks: "ledger"
  },
  {
    name: "a task's end is told before its request is owed to the ledger",
    file: "src/programs/task/perform.ts",
    from: `        : beforeEnding(attempt, ending).pipe(Effect.andThen(Settle.ended(attempt, ending)), Effect.as(ending))`,
    to: `        : Settle.ended(attempt, ending).pipe(Effect.andThen(beforeEnding(attempt, ending)), Effect.as(ending))`,
    breaks: "ledger"
  }
]
