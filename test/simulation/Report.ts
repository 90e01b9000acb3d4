/** What came of some seeds. */
export interface Report {
  readonly seeds: number
  readonly steps: number
  readonly tasks: number
  /** What happened how often, by name. */
  readonly events: ReadonlyMap<string, number>
  readonly lost: number
  readonly savedTwice: number
  readonly paidTwice: number
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
}

export const nothing: Report = {
  seeds: 0,
  steps: 0,
  tasks: 0,
  events: new Map(),
  lost: 0,
  savedTwice: 0,
  paidTwice: 0,
  failures: []
}

const sum = (one: Report["events"], other: Report["events"]) => {
  const all = new Map(one)
  for (const [event, times] of other) all.set(event, (all.get(event) ?? 0) + times)
  return all
}

export const add = (one: Report, other: Report): Report => ({
  seeds: one.seeds + other.seeds,
  steps: one.steps + other.steps,
  tasks: one.tasks + other.tasks,
  events: sum(one.events, other.events),
  lost: one.lost + other.lost,
  savedTwice: one.savedTwice + other.savedTwice,
  paidTwice: one.paidTwice + other.paidTwice,
  failures: [...one.failures, ...other.failures]
})

/** One line for a person. */
export const summary = ({ events, failures, lost, paidTwice, savedTwice, seeds, steps, tasks }: Report): string => {
  const happened = [...events].toSorted().map(([event, times]) => `${times} ${event}`)
  return (
    `${seeds} seeds, ${steps} steps, ${tasks} tasks, ${happened.join(", ")}: lost ${lost}, saved twice ${savedTwice}, ` +
    `paid twice ${paidTwice}; ${failures.length} seeds failed`
  )
}
