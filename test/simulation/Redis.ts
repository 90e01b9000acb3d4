/**
 * What one Redis keeps for the fleet: queue, journal, results, leases. Its last writes are remembered, so that a failover can
 * forget them again: a promoted replica goes on from an earlier state that it had, never from a mixture.
 */
import { Clock, Effect } from "effect"
import type { VirtualTime } from "./VirtualTime.ts"

/** No replica lags further behind than this (milliseconds). */
const LAG = 2500

type Member = Effect.Effect<unknown, unknown> | ((...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>)

/** Calls that only read, of all services kept here. Every other one is a write. */
const READS = new Set(["look", "counts", "inFlight", "owing", "get", "loadGroup", "awaitFinal", "ping"])

const copy = (value: unknown): unknown => {
  if (value instanceof Map) return new Map([...value].map(([key, inner]) => [key, copy(inner)]))
  return Array.isArray(value) ? [...value] : value
}

interface Kept {
  readonly write: number
  readonly at: number
  readonly maps: ReadonlyArray<ReadonlyMap<unknown, unknown>>
}

export class Redis {
  /** Writes so far. */
  writes = 0
  /** How far its clock is ahead (milliseconds). */
  ahead = 0
  /** Its clock has been set: a lease that was over may last once more, and what is said of leases no longer holds. */
  wasSet = false
  /** So many writes a replica has confirmed: one of them was waited for. */
  confirmed = 0
  readonly clock: Clock.Clock
  readonly #time: VirtualTime
  readonly #maps: ReadonlyArray<Map<unknown, unknown>>
  #kept: Array<Kept> = []
  #undos: Array<{ readonly write: number; readonly undo: () => void }> = []
  readonly #replayed: Array<(write: number) => void> = []

  /** What these services hold in maps is taken back as it is. */
  constructor(time: VirtualTime, states: ReadonlyArray<object>) {
    this.#time = time
    this.clock = time.clock(
      () => true,
      () => this.ahead
    )
    this.#maps = states.flatMap((state) => Object.values(state).filter((value) => value instanceof Map))
    this.wrote()
  }

  get now() {
    return this.#time.now + this.ahead
  }

  /** Something in the maps has been written. */
  wrote() {
    this.#keep(this.#maps.map((map) => copy(map) as Map<unknown, unknown>)) // a map's copy is one
  }

  #keep(maps: Kept["maps"]) {
    const { now } = this.#time
    this.#kept.push({ write: ++this.writes, at: now, maps })
    while (this.#kept.length > 1 && this.#kept[1]!.at < now - LAG) this.#kept.shift()
  }

  /** What an observer noted of the last write, to be taken back when that is forgotten. */
  noted(undo: () => void) {
    this.#undos.push({ write: this.writes, undo })
  }

  /**
   * A service whose state lies inside it: every call goes to the latest instance, at this server's time, and writes are done
   * once more on a new instance when later ones are forgotten.
   */
  keeps<S extends object>(make: () => S): S {
    let current = make()
    let log: Array<{ readonly write: number; readonly at: number; readonly redo: () => Effect.Effect<unknown, unknown> }> = []
    this.#replayed.push((write) => {
      log = log.filter((entry) => entry.write <= write)
      current = make()
      for (const { at, redo } of log)
        Effect.runSync(
          Effect.provideService(
            Effect.ignore(redo()),
            Clock.Clock,
            this.#time.clock(
              () => true,
              () => at - this.#time.now
            )
          )
        )
    })
    const call = (name: string, args: ReadonlyArray<unknown>) => {
      const member = (current as Record<string, Member>)[name]! // `name` is one of its keys
      return Effect.isEffect(member) ? member : member(...args)
    }
    const asked = (name: string, args: ReadonlyArray<unknown>) =>
      Effect.suspend(() => {
        if (!READS.has(name)) {
          this.#keep(this.#kept.at(-1)!.maps)
          log.push({ write: this.writes, at: this.now, redo: () => call(name, args) })
        }
        return Effect.provideService(call(name, args), Clock.Clock, this.clock)
      })
    return Object.fromEntries(
      Object.entries(current).map(([name, member]: [string, unknown]) => [
        name,
        Effect.isEffect(member) ? asked(name, []) : (...args: ReadonlyArray<unknown>) => asked(name, args)
      ])
    ) as S // every member of our services is an effect or a function that gives one
  }

  /** The earliest state that a failover now may lead to: what a replica has confirmed is never forgotten. */
  earliest(millis: number): number {
    const before = this.#kept.findLast(({ at }) => at < this.#time.now - millis) ?? this.#kept[0]!
    return Math.max(before.write, this.confirmed)
  }

  /** Goes back to the state after this write. */
  forget(write: number) {
    const kept = this.#kept.findLast((one) => one.write <= write)
    if (kept === undefined) return
    for (const [at, map] of this.#maps.entries()) {
      map.clear()
      for (const [key, value] of kept.maps[at]!) map.set(key, copy(value))
    }
    this.#kept = this.#kept.filter((one) => one.write <= write)
    for (const replay of this.#replayed) replay(write)
    const undone = this.#undos.filter((one) => one.write > write)
    this.#undos = this.#undos.filter((one) => one.write <= write)
    for (const { undo } of undone.toReversed()) undo()
    this.confirmed = Math.min(this.confirmed, write)
  }
}
