import type { PGlite } from "@electric-sql/pglite"
import { Duplex } from "node:stream"

const CANCEL_REQUEST = 80877102
const SSL_REQUEST = 80877103
/** Sync, Query, Flush and PasswordMessage: what the client sends before it waits for an answer. */
const ENDS_A_CYCLE = "SQHp"

/**
 * The wire between PostgreSQL's client and PGlite in the same process, so that both databases run the same code. Messages are
 * handed on by whole cycles: PGlite answers each call in full, and holds its one session until then.
 */
export class PgliteDuplex extends Duplex {
  private readonly db: PGlite
  private unread: Buffer = Buffer.alloc(0)
  private cycle: Array<Buffer> = []
  private started = false

  constructor(db: PGlite) {
    super()
    this.db = db
  }

  override _read() {}

  override _write(chunk: Buffer, _encoding: unknown, done: (error?: Error | null) => void) {
    this.unread = Buffer.concat([this.unread, chunk])
    void this.answer(done)
  }

  private async answer(done: (error?: Error | null) => void) {
    try {
      await this.pump()
    } catch (error) {
      return done(error instanceof Error ? error : new Error(String(error)))
    }
    done()
  }

  override _final(done: (error?: Error | null) => void) {
    this.push(null)
    done()
  }

  private async run(messages: Uint8Array) {
    const answer = await this.db.runExclusive(() => this.db.execProtocolRaw(messages, {}))
    if (answer.length > 0 && !this.destroyed) this.push(Buffer.from(answer))
  }

  /** The next whole message; the first ones of a connection have no type byte before their length. */
  private next(): Buffer | undefined {
    const head = this.started ? 1 : 0
    if (this.unread.length < head + 4) return undefined
    const length = head + this.unread.readInt32BE(head)
    if (this.unread.length < length) return undefined
    const message = this.unread.subarray(0, length)
    this.unread = this.unread.subarray(length)
    return message
  }

  private async pump() {
    for (let message = this.next(); message !== undefined; message = this.next()) {
      if (!this.started) {
        const code = message.readInt32BE(4)
        if (code === CANCEL_REQUEST) return void this.push(null) // one thread: nothing runs while we could cancel it
        if (code === SSL_REQUEST) {
          this.push("N")
          continue
        }
        this.started = true
        await this.run(message)
        continue
      }
      const type = String.fromCharCode(message[0]!) // `next` returns no empty message
      if (type === "X") continue // Terminate would end the engine for every later connection
      this.cycle.push(message)
      if (!ENDS_A_CYCLE.includes(type)) continue
      const messages = Buffer.concat(this.cycle)
      this.cycle = []
      await this.run(messages)
    }
  }
}
