import type { Dice } from "./Dice.ts"

/** What a call out of a worker meets with. Times in milliseconds. */
export interface Fate {
  /** On the way there, before it takes effect; and on the way back. */
  readonly delay: readonly [there: number, back: number]
  /** Its process dies there, before or after it took effect. */
  readonly dies: "before" | "after" | undefined
  /** The request never arrives, or its answer never does: the caller is told so. */
  readonly lost: "request" | "answer" | undefined
  /** Its process gets SIGTERM while the answer is under way, and a second one where it is the answer to a submit. */
  readonly stops: boolean
}

const FAIR: Fate = { delay: [0, 0], dies: undefined, lost: undefined, stops: false }

/** How often things go wrong in one run: some are calm, some are rough, in some everything is slow. */
export class Weather {
  readonly #dice: Dice
  readonly #dies: number
  readonly #lost: number
  readonly #slow: number
  /** How often the answer to a submit is lost beside that: money is at stake there. */
  readonly #uncertain: number
  /** Whether that goes on when all else is well again. */
  readonly #stubborn: boolean
  /** How often a submit's answer is slow and its process told to hurry away meanwhile. */
  readonly #stops: number
  /** How often a process is told to stop while a task of it ends. */
  readonly #stopsAtEnd: number
  calm = false

  constructor(dice: Dice) {
    this.#dice = dice
    this.#dies = dice.pick([0, 0.003, 0.01, 0.03])
    this.#lost = dice.pick([0, 0.01, 0.05, 0.15])
    this.#slow = dice.pick([0, 0.02, 0.1])
    this.#stubborn = dice.chance(0.08)
    this.#uncertain = this.#stubborn ? 0.7 : dice.pick([0, 0, 0, 0.5])
    this.#stops = dice.pick([0, 0, 0, 0, 0.5])
    this.#stopsAtEnd = dice.pick([0, 0, 0, 0.2])
  }

  get text() {
    return `of 1000 calls ${this.#dies * 1000} kill, ${this.#lost * 1000} are lost, ${this.#slow * 1000} are slow`
  }

  fate(call: string): Fate {
    if (call === "submit" && (this.#stubborn || !this.calm) && this.#dice.chance(this.#uncertain))
      return { ...FAIR, lost: this.#dice.pick(["request", "answer", "answer"]) }
    if (this.calm) return FAIR
    if (call === "submit" && this.#dice.chance(this.#stops)) return { ...FAIR, delay: [0, 3000], stops: true }
    if (call === "acknowledge" && this.#dice.chance(this.#stopsAtEnd)) return { ...FAIR, delay: [0, 100], stops: true }
    const luck = this.#dice.next()
    let at = this.#dies
    if (luck < at) return { ...FAIR, dies: this.#dice.pick(["before", "after"]) }
    at += this.#lost
    if (luck < at) return { ...FAIR, delay: [this.#delay(), this.#delay()], lost: this.#dice.pick(["request", "answer"]) }
    at += this.#slow
    if (luck < at) return { ...FAIR, delay: [this.#delay(), this.#delay()] }
    return FAIR
  }

  #delay() {
    return this.#dice.pick([0, 1, 20, 400, 3000])
  }
}
