/** What came of some seeds. */
export interface Report {
  readonly seeds: number
  readonly steps: number
  readonly kills: number
  readonly tasks: number
  readonly lost: number
  readonly savedTwice: number
  readonly paidTwice: number
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly violations: ReadonlyArray<string> }>
}

export const nothing: Report = { seeds: 0, steps: 0, kills: 0, tasks: 0, lost: 0, savedTwice: 0, paidTwice: 0, failures: [] }

export const add = (one: Report, other: Report): Report => ({
  seeds: one.seeds + other.seeds,
  steps: one.steps + other.steps,
  kills: one.kills + other.kills,
  tasks: one.tasks + other.tasks,
  lost: one.lost + other.lost,
  savedTwice: one.savedTwice + other.savedTwice,
  paidTwice: one.paidTwice + other.paidTwice,
  failures: [...one.failures, ...other.failures]
})
